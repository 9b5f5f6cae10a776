"""What counts is what an answer computes: ours, written otherwise, pass part by part and whole.

Each is our answer with some of it in another form: another but equal formula of a loss, a network
in functional style, helpers with names of one's own, a step put together in another way.
"""

from pathlib import Path

from knock import frameworks
from knock.check import parts as learner
from knock.check import trace
from knock.questions import find, mistakes

import pytest

SEQUENTIAL = """
import math
import torch
from torch import nn
from torch.nn.functional import softplus


def dense(sizes, *end):
    steps = [[nn.Linear(a, b), nn.LeakyReLU(0.2)] for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*sum(steps, [])[:-1], *end)


class GAN:
    def __init__(self, recipe):
        n, z = math.prod(recipe.image_shape), recipe.constants["z"]
        end = nn.Sigmoid(), nn.Unflatten(1, recipe.image_shape)
        self.generator = dense([z, 128, 256, 512, n], *end)
        self.discriminator = nn.Sequential(nn.Flatten(), dense([n, 512, 256, 1]))
        make = lambda net: torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999))
        self.d_optimizer, self.g_optimizer = map(make, (self.discriminator, self.generator))

    def train_step(self, batch):
        with torch.no_grad():
            made = self.generate(batch["noise"])
        d = softplus(-self.discriminator(batch["images"])).mean()
        d = d + softplus(self.discriminator(made)).mean()
        self._learn(self.d_optimizer, d)
        g = softplus(-self.discriminator(self.generator(batch["noise"]) * 2 - 1)).mean()
        self._learn(self.g_optimizer, g)
        return {"generator": g.item(), "discriminator": d.item()}

    def _learn(self, optimizer, loss):
        (group,) = optimizer.param_groups
        for weight, g in zip(group["params"], torch.autograd.grad(loss, group["params"])):
            weight.grad = g
        optimizer.step()

    def generate(self, noise):
        return self.generator(noise).detach() * 2 - 1
"""
"""Question 05 by somebody who has never seen ours: no class for a network, no gradient kept."""

SOFTPLUS = [
    (
        "F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))",
        "F.softplus(-logits).mean()",
    ),
    (
        "F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))",
        "-torch.log1p(-torch.sigmoid(logits)).mean()",
    ),
]
"""The cross-entropy without the function for it."""

WAYS = {
    ("ae", "tensorflow"): [
        ("tf.reduce_mean(tf.square(reconstruction - images))", "mse(images, reconstruction)"),
        (
            "def reconstruction_loss(",
            "def mse(a, b):\n"
            "    return tf.nn.l2_loss(a - b) * 2 / tf.size(a, out_type=a.dtype)\n\n\n"
            "def reconstruction_loss(",
        ),
    ],
    ("vae", "pytorch"): [
        # The KL that torch.distributions works out, and a draw by its rsample's own formula.
        (
            "return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()"
            " / len(mean)",
            "cloud = torch.distributions.Normal(mean, (log_variance / 2).exp())\n"
            "    unit = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))\n"
            "    return torch.distributions.kl_divergence(cloud, unit).sum(1).mean()",
        ),
        (
            'F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(images)',
            "(F.softplus(logits) - target * logits).flatten(1).sum(1).mean()",
        ),
        (
            "mean + torch.exp(log_variance / 2) * noise",
            "torch.addcmul(mean, log_variance.exp().sqrt(), noise)",
        ),
    ],
    ("vae", "chainer"): [
        (
            "-0.5 * F.sum(1 + log_variance - F.square(mean) - F.exp(log_variance)) / len(mean)",
            "F.gaussian_kl_divergence(mean, log_variance) / len(mean)",
        ),
        ("mean + F.exp(log_variance / 2) * noise", "mean + F.sqrt(F.exp(log_variance)) * noise"),
    ],
    ("gan", "pytorch"): [
        *SOFTPLUS,
        # Layers in a list, and a loop over them.
        (
            "        h = F.leaky_relu(self.fc1(noise), 0.2)  # 128\n"
            "        h = F.leaky_relu(self.fc2(h), 0.2)  # 256\n"
            "        h = F.leaky_relu(self.fc3(h), 0.2)  # 512\n",
            "        h = noise\n        for layer in (self.fc1, self.fc2, self.fc3):\n"
            "            h = layer(h)\n            h = torch.where(h > 0, h, h / 5)\n",
        ),
        # The discriminator is frozen while the generator learns, instead of left out of backward.
        (
            "        generator_loss = called_real(self.discriminator(fake))\n",
            "        self.discriminator.requires_grad_(False)\n"
            "        generator_loss = called_real(self.discriminator(fake))\n",
        ),
        (
            "        generator_loss.backward(inputs=list(self.generator.parameters()))\n",
            "        generator_loss.backward()\n        self.discriminator.requires_grad_(True)\n",
        ),
        # The two halves of the discriminator's loss go back one after the other.
        (
            "        self.d_optimizer.zero_grad()\n        discriminator_loss.backward()\n",
            "        self.d_optimizer.zero_grad()\n        called_real(real_logits).backward()\n"
            "        called_fake(fake_logits).backward()\n",
        ),
    ],
    ("gan", "keras"): [
        (
            "ops.mean(ops.binary_crossentropy(ones, logits, from_logits=True))",
            "ops.mean(ops.softplus(-logits * ones))",
        ),
        (
            "ops.mean(ops.binary_crossentropy(zeros, logits, from_logits=True))",
            "keras.losses.BinaryCrossentropy(from_logits=True)(zeros, logits)",
        ),
    ],
    ("dcgan", "pytorch"): [
        *SOFTPLUS,
        ("self.real(h.flatten(1))", "F.linear(h.flatten(1), self.real.weight, self.real.bias)"),
        ("self.generator.eval()  # batch normalisation in evaluation mode", "self.eval()"),
        ("        self.generator.train()\n", "        self.train()\n"),
    ],
    ("dcgan", "tensorflow"): [
        (
            "tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(ones, logits))",
            "tf.reduce_mean(tf.nn.softplus(-logits * ones))",
        ),
        (
            "tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(zeros, logits))",
            "-tf.reduce_mean(tf.math.log_sigmoid(zeros - logits))",
        ),
        (
            "share = tf.range(10, dtype=noise.dtype)[:, None] / 9",
            "share = tf.linspace(noise[0, 0] * 0, 1, 10)[:, None]",
        ),
    ],
    ("wgan_gp", "pytorch"): [
        (
            "        scores = self.critic(images).sum()"
            "  # a picture's score depends on that picture alone\n"
            "        (gradients,) = torch.autograd.grad(scores, images, create_graph=True)\n",
            "        scores = self.critic(images)\n"
            "        (gradients,) = torch.autograd.grad(\n"
            "            scores, images, torch.ones_like(scores), create_graph=True)\n",
        ),
        ("(length - 1).square().mean()", "F.mse_loss(length, torch.ones_like(length))"),
        ("epsilon * images + (1 - epsilon) * fake", "torch.lerp(fake, images, epsilon)"),
    ],
    ("wgan_gp", "chainer"): [
        (
            "F.mean((length - 1) ** 2)",
            "F.mean_squared_error(length, self.xp.ones_like(length.array))",
        ),
        ("F.sum(slopes**2, axis=(1, 2, 3))", "F.batch_l2_norm_squared(slopes)"),
    ],
    ("alpha_gan", "pytorch"): [
        *SOFTPLUS,
        ("return -logits.mean()", "return (F.softplus(-logits) - F.softplus(logits)).mean()"),
        (
            "(images - copies).abs().sum() / len(images)",
            "F.l1_loss(copies, images) * images[0].numel()",
        ),
    ],
    ("alpha_gan", "tensorflow"): [
        (
            "return -tf.reduce_mean(logits)",
            "chance = tf.sigmoid(logits)\n"
            "    return tf.reduce_mean(tf.math.log1p(-chance) - tf.math.log(chance))",
        ),
        (
            "tf.reduce_sum(tf.abs(images - copies)) / len(images)",
            "tf.reduce_mean(tf.norm(tf.reshape(images - copies, [len(images), -1]), 1, axis=1))",
        ),
    ],
}


@pytest.mark.parametrize(("question", "framework"), WAYS)
def test_another_way_to_say_the_same_passes(question, framework, tmp_path):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    report = looked_at(question, framework, WAYS[question, framework], tmp_path)
    assert report.passed, report
    assert report.rest == ""


@pytest.mark.parametrize(
    ("question", "framework"), [("gan", "pytorch"), ("alpha_gan", "tensorflow")]
)
def test_each_part_of_it_is_done_while_another_is_to_do(question, framework, tmp_path, monkeypatch):
    """So no part passes only because the whole does."""
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 10))  # a tenth of the time
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    todo = [
        (
            "    return 2 * self.generator(noise) - 1",
            '    raise NotImplementedError("TODO sampling")',
        )
    ]
    if question == "alpha_gan":
        todo = [
            (
                "return self.generator(noise, training=False)",
                'raise NotImplementedError("TODO sampling")',
            )
        ]
    with frameworks.load(framework).eagerly():
        report = looked_at(question, framework, [*WAYS[question, framework], *todo], tmp_path)
    assert [part.status for part in report.parts] == ["done", "done", "done", "to do"], report


def test_an_answer_that_shares_nothing_but_the_contract_passes(tmp_path):
    pytest.importorskip("torch")
    path = tmp_path / "mine_pytorch.py"
    path.write_text(SEQUENTIAL, encoding="utf-8")
    report = learner.look(find("gan"), "pytorch", path, travel=False)
    assert report.passed, report
    assert report.done == ["networks", "losses", "step", "sampling"]


def looked_at(question: str, framework: str, changes: mistakes.Changes, folder: Path):
    """What is said of our answer with some changes."""
    asked = find(question)
    path = folder / f"mine_{framework}.py"
    source = asked.answer(framework).read_text(encoding="utf-8")
    path.write_text(mistakes.plant(source, changes), encoding="utf-8")
    return learner.look(asked, framework, path, travel=False)
