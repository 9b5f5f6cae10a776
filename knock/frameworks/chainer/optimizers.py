"""The two optimisers that Chainer defines differently from the other frameworks.

`chainer.optimizers.RMSprop` and `SGD` are right, so the answers use them.
"""

import math
from typing import Any

import chainer
import numpy as np
from chainer.optimizers.adam import AdamRule as ChainerAdamRule
from chainer.optimizers.momentum_sgd import MomentumSGDRule as ChainerMomentumSGDRule

_BLOCK = 16384
"""How many numbers are updated at a time: few enough to stay in the processor's cache."""


class AdamRule(ChainerAdamRule):
    """How `Adam` updates one parameter."""

    def update_core(self, param: Any) -> None:
        """Chainer divides by √v + ε where algorithm 1 has √(v / (1 − β₂ᵗ)) + ε: scale ε."""
        hp = self.hyperparam
        hp.eps = hp.parent.eps * math.sqrt(1.0 - hp.beta2**self.t)
        super().update_core(param)

    def update_core_cpu(self, param: Any) -> None:
        """The plain algorithm in blocks, four times as fast; its variants as in Chainer."""
        hp, grad = self.hyperparam, param.grad
        arrays = [param.array, grad, self.state["m"], self.state["v"]]
        plain = hp.eta == 1.0 and not (hp.amsgrad or hp.adabound or hp.weight_decay_rate)
        if not plain or any(
            a is None or a.dtype == np.float16 or not a.flags.c_contiguous for a in arrays
        ):
            super().update_core_cpu(param)
            return
        flat = [a.reshape(-1) for a in arrays]
        scratch = np.empty(min(_BLOCK, grad.size), grad.dtype)
        for start in range(0, grad.size, _BLOCK):
            w, g, m, v = (a[start : start + _BLOCK] for a in flat)
            s = scratch[: len(w)]
            np.subtract(g, m, out=s)
            s *= 1.0 - hp.beta1
            m += s
            np.multiply(g, g, out=s)
            s -= v
            s *= 1.0 - hp.beta2
            v += s
            np.sqrt(v, out=s)
            s += hp.eps
            np.divide(m, s, out=s)
            s *= self.alpha_t
            w -= s


class Adam(chainer.optimizers.Adam):
    """Adam as in algorithm 1 of Kingma & Ba 2015: ε is outside the root of the corrected v.

    `chainer.optimizers.Adam` is the variant at the end of their section 2, whose ε̂ has more effect
    in the first steps. The arguments are the same: alpha, beta1, beta2, eps = 1e-8 and so on.
    """

    def create_update_rule(self) -> AdamRule:
        """A rule for one parameter; `setup` calls this."""
        return AdamRule(self.hyperparam)


class MomentumSGDRule(ChainerMomentumSGDRule):
    """How `MomentumSGD` updates one parameter."""

    def init_state(self, param: Any) -> None:
        """A momentum of zeros."""
        with chainer.using_device(param.device):
            self.state["m"] = param.device.xp.zeros_like(param.array)

    def update_core(self, param: Any) -> None:
        """On any device; m does not contain the learning rate."""
        if param.grad is None:
            return
        with chainer.using_device(param.device):
            step = param.grad
            if self.hyperparam.momentum:
                step = self.state["m"]
                step *= self.hyperparam.momentum
                step += param.grad
            param.array -= self.hyperparam.lr * step


class MomentumSGD(chainer.optimizers.MomentumSGD):
    """m ← momentum·m + g, w ← w − lr·m.

    `chainer.optimizers.MomentumSGD` keeps −lr·m instead, which is the same while the rate stays
    constant. The arguments are the same: lr, momentum.
    """

    def create_update_rule(self) -> MomentumSGDRule:
        """A rule for one parameter; `setup` calls this."""
        return MomentumSGDRule(self.hyperparam)
