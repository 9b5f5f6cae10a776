"""What a check says of mistakes that nobody wrote down: they are found by changing the judge."""

import ast
import math

from knock import paths, recipe
from knock.check import (
    changes,
    explain_networks,
    explain_numbers,
    explain_optimizers,
    explain_training,
    judge,
    trace,
)
from knock.check.trace import Trace
from knock.frameworks import numpy as plain
from knock.questions import find
from knock.recipe import layers

import msgspec
import numpy as np
import pytest


def taken(name, *planted, steps=(1, 2), recipe_of=lambda small: small):
    """A question's check recipe, the judge's numbers, and those of a learner in NumPy."""
    path, small = find(name).reference_file, recipe.load_check(find(name).recipe_file)
    text = path.read_text(encoding="utf-8")
    for old, new in planted:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    code = compile(text, str(path), "exec")
    expected = trace.take(path, plain, small, looked_at=steps)
    got = trace.take(path, plain, recipe_of(small), code, looked_at=steps)
    return small, judge.Standard(small, path, plain, expected), got


def words(name, *planted, **more):
    """The messages of the stages that fail, by stage."""
    _, standard, got = taken(name, *planted, **more)
    return {r.name: r.message for r in standard.judge(got, travel=False) if r.status == "failed"}


_AGAIN = "reconstruction_loss(self.reconstruct(images), images)"
_FAKE = "), classes)\n"
STEPS = {
    "D is trained twice": (
        "gan",
        (
            "        self.d_optimizer.update()\n",
            "        self.d_optimizer.update()\n"
            "        real_loss, d = called_real(self.discriminator(batch['images']))\n"
            "        self.discriminator.backward(d)\n"
            "        fake_loss, d = called_fake(self.discriminator(fake))\n"
            "        self.discriminator.backward(d)\n        self.d_optimizer.update()\n",
        ),
        "d_optimizer takes its step twice on the same batch",
    ),
    "a loss is computed again": (
        "ae",
        ("        return {", f"        loss, _ = {_AGAIN}\n        return {{"),
        "loss is computed again after optimizer's step",
    ),
    "another round is told": (
        "wgan",
        (
            "            self.c_optimizer.update()\n",
            "            self.c_optimizer.update()\n"
            "            first = first if 'first' in locals() else real - made\n",
        ),
        "is returned of the first round instead of the last",
    ),
    "the clip is too wide": (
        "wgan",
        ("-self.clip, self.clip", "-10 * self.clip, 10 * self.clip"),
        "clip is 0.1, the recipe's 0.01",
    ),
    "another class is told": (
        "cgan",
        (_FAKE, _FAKE.replace(", classes)", ", np.roll(classes, 1, 1))")),
        "tell is given the classes of other pictures",
    ),
    "a pair is reversed": (
        "pix2pix",
        ("np.concatenate([images, fake]", "np.concatenate([fake, images]"),
        "fake comes before images",
    ),
    "a term is left out": (
        "vae",
        ("- mean**2 - variance", "- variance"),
        "in kl_loss, `1 + log_variance` is computed instead of `1 + log_variance - mean ** 2`",
    ),
    "what is told comes first": (
        "cgan",
        ("np.concatenate([images, planes]", "np.concatenate([planes, images]"),
        "in tell, `np.concatenate([planes, images], axis=1)` is computed instead",
    ),
    "an expression is another one wherever it stands": (
        "wgan_gp",
        ("penalty, d = (length - 1) ** 2, 2 * (length - 1)", "penalty, d = length**2, 2 * length"),
        "`length ** 2` is computed instead of `(length - 1) ** 2`",
    ),
    "a loss counts with the wrong sign beside another": (
        "wgan_gp",
        (
            "real, _ = self.score(images, -1.0)\n            made, _ = self.score(fake, 1.0)",
            "real, _ = self.score(images, 1.0)\n            made, _ = self.score(fake, -1.0)",
        ),
        "the score of images and the score of fake count with the wrong sign",
    ),
    "two of the batch's entries are exchanged": (
        "lapgan",
        ('(batch["mask1"], batch["mask2"])', '(batch["mask2"], batch["mask1"])'),
        "mask2 comes before mask1",
    ),
    "a limit is 0": (
        "wgan",
        ("np.clip(value, -self.clip, self.clip,", "np.clip(value, 0, self.clip,"),
        "`np.clip(value, 0.0, clip, out=value)` is computed instead",
    ),
    "a product becomes a power": (
        "vae",
        ("return mean + deviation * noise", "return mean + deviation**noise"),
        "in reparameterize, `mean + np.exp(log_variance / 2) ** noise`",
    ),
    "a sigmoid before a loss of logits": (
        "vae",
        ("# [-1, 1] → [0, 1]", "\n    logits = sigmoid(logits)"),
        "in reconstruction_loss, a sigmoid comes before the loss, which takes logits",
    ),
    "logits taken for probabilities": (
        "vae",
        (
            "# [-1, 1] → [0, 1]",
            "\n    p = np.clip(logits, 1e-7, 1 - 1e-7)\n    logits = np.log(p) - np.log(1 - p)",
        ),
        "in reconstruction_loss, the logits are taken for probabilities",
    ),
    "two halves are exchanged": (
        "vae",
        ("mean, log_variance = np.split", "log_variance, mean = np.split"),
        "mean and log_variance are taken the other way round",
    ),
    "a network judges in evaluation mode": (
        "dcgan",
        (
            "called_fake(self.discriminator(fake))",
            "called_fake(framework.evaluate(self.discriminator, fake))",
        ),
        "the discriminator is in evaluation mode when it is given fake",
    ),
    "what is returned is wrong alone": (
        "gan",
        ("real_loss + fake_loss", "real_loss + 3 * fake_loss"),
        "The gradients are right: only what train_step returns is not",
    ),
}


@pytest.mark.parametrize("case", STEPS)
def test_a_step_with_one_thing_changed_is_told(case):
    name, planted, said = STEPS[case]
    more = [('return {"wasserstein": real - made', 'return {"wasserstein": first')]
    found = words(name, planted, *(more if case == "another round is told" else []))
    assert said in found["loss"], found


MIXES = {
    "a share of the other loss": (
        "return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size",
        "return (np.logaddexp(0, logits) - 0.9 * logits).mean(), "
        "(sigmoid(logits) - 0.9) / logits.size",
        "0.9 · called_real(discriminator(images)) + 0.1 · called_fake(discriminator(images))"
        " in place of called_real(discriminator(images)): is the label 0.9 instead of 1?",
    ),
    "labels and logits swapped": (
        "return (np.logaddexp(0, logits) - logits).mean(), (sigmoid(logits) - 1) / logits.size",
        "return (np.logaddexp(0, 1) - logits).mean(), -np.ones_like(logits) / logits.size",
        "are labels and logits swapped?",
    ),
    "a part that counts too much": (
        "self.discriminator.backward(d)\n        self.d_opt",
        "self.discriminator.backward(3 * d)\n        self.d_opt",
        "called_fake(discriminator(fake)) counts 3 times as much as it should",
    ),
}


@pytest.mark.parametrize("case", MIXES)
def test_what_a_network_is_trained_on_is_told(case):
    old, new, said = MIXES[case]
    assert said in str(words("dcgan", (old, new)))


def test_an_optimiser_called_in_anothers_place_has_no_wrong_constant():
    again = """self.d_optimizer.update()
        for module, gradients in kept:
            module.gradients = gradients
        self.d_optimizer.update()
"""
    keep = """kept = [
            (module, {name: g.copy() for name, g in module.gradients.items()})
            for module in self.discriminator.modules
        ]
        """
    found = words(
        "gan",
        ("self.d_optimizer.update()\n", keep + again),
        ("self.g_optimizer.update()", "self.generator.clear()"),
    )
    said = "d_optimizer: it takes its step 2 times with the same gradients, and g_optimizer takes"
    assert said in found["gradients"], found


def test_where_nothing_explains_the_numbers_they_are_told():
    """A loss after an update is nearly right whatever the gradient was: that explains nothing."""
    old = "self.weight * d / length.size"
    found = words("wgan_gp", (old, f"0.7 * {old}"))
    assert "expected" in found["loss"] and "almost right" not in found["loss"], found


def test_the_weight_on_the_wrong_term_is_told():
    old = "self.discriminator.backward(d)[:, channels:] + self.l1_weight * slope"
    new = "self.l1_weight * self.discriminator.backward(d)[:, channels:] + slope"
    found = words("pix2pix", (old, new))
    assert "counts 100 times" in found["gradients"] and "counts 0.01 times" in found["gradients"]


def optimizer(**changed):
    def of(small):
        other = msgspec.structs.replace(small.optimizers["optimizer"], **changed)
        return msgspec.structs.replace(small, optimizers={"optimizer": other})

    return of


def test_a_constant_of_an_optimiser_is_told_with_both_values():
    cases = {
        "its two betas are swapped": optimizer(betas=[0.999, 0.9]),
        "its first beta is 0.5, the recipe's 0.9": optimizer(betas=[0.5, 0.999]),
        "its second beta is 0.99, the recipe's 0.999": optimizer(betas=[0.9, 0.99]),
        "its learning rate is 0.01, the recipe's 0.001": optimizer(lr=0.01),
    }
    for said, of in cases.items():
        small, standard, got = taken("ae", recipe_of=of)
        assert said in explain_optimizers.of_constants(got, standard.expected, small)


CHANGED = {
    "a weight decay of 0.01 is added": lambda g, w: g + 0.01 * w,
    "clipped to ±0.001": lambda g, w: np.clip(g, -0.001, 0.001),
}


@pytest.mark.parametrize("said", CHANGED)
def test_what_happens_to_a_right_gradient_is_told(said, monkeypatch):
    small, standard, right = taken("ae")
    before = plain.Adam.update

    def update(self):
        for module in (m for network in self.trained for m in network.modules):
            for name, value in module.values.items():
                module.gradients[name] = CHANGED[said](module.gradients[name], value)
        before(self)

    monkeypatch.setattr(plain.Adam, "update", update)
    got = trace.take(find("ae").reference_file, plain, small, looked_at=(1, 2))
    assert said in explain_optimizers.of_constants(got, standard.expected, small)
    assert explain_optimizers.of_constants(right, standard.expected, small) is None


@pytest.mark.parametrize(
    ("epsilon", "said"), [(1e-7, "its ε is 1e-07;"), (1e-3, "its ε is 0.001;")]
)
def test_an_epsilon_is_told(epsilon, said):
    small, standard, got = taken("ae")
    lr, beta2 = small.optimizers["optimizer"].lr, small.optimizers["optimizer"].betas[1]
    after = standard.expected.states[1]
    got.states[1] = dict(after)
    for key in [k for k in after if f"optimizer.{k}.m" in after]:
        m, v = after[f"optimizer.{key}.m"] / 0.1, after[f"optimizer.{key}.v"] / (1 - beta2)
        got.states[1][key] = got.states[0][key] - lr * m / (np.sqrt(v) + epsilon)
    assert said in explain_optimizers.of_constants(got, standard.expected, small)


def test_an_epoch_begins_only_where_something_changes_with_it():
    for name, begins in (("lapgan", True), ("ae", False)):
        path, small = find(name).reference_file, recipe.load_check(find(name).recipe_file)
        replays = explain_training.Replays(path, small)
        right = trace.take(path, plain, small, looked_at=(5,))
        off = [dict(one) for one in right.losses]
        key = next(iter(off[0]))
        for losses in off[trace.STEPS_AN_EPOCH - 1 :]:
            losses[key] *= 1.1
        got = trace.Trace(losses=off)
        assert bool(replays.epoch(got)) is begins
        got.losses = [*right.losses[:5], off[4]] if begins else []
        if begins:
            assert replays.epoch(got).startswith("the runs diverge at step 6, where batch['epoch']")
        got.losses = off
        off[0][key] *= 2
        assert replays.epoch(got) is None


def test_changes_of_a_network_are_seen_in_forward_and_told_apart():
    """Also a norm that is never called, and one that stands after its ReLU."""
    for name, network in (("dcgan", "generator"), ("pix2pix", "generator"), ("convae", "encoder")):
        small = recipe.load_check(find(name).recipe_file)
        placed = layers.networks(small)[network]
        x, masks = trace.shown(small, placed), trace.beside(small, placed, trace.asked(small))
        first = trace.drawn_weights(small)
        right = explain_networks._output(placed, {}, first, x, masks)
        told = {}
        for what, tries in explain_networks._tries(placed.layers):
            if any(word in what for word in ("missing", "places", "belongs after", "averages")):
                where, change = tries[-1]
                output = explain_networks._output(placed, change, first, x, masks)
                if output.shape == right.shape and not explain_numbers.close(output, right):
                    told[f"{where} {what}"] = explain_networks.explain(network, output, small)
        assert told and all(key.split(" of ")[0] in str(said) for key, said in told.items()), told
        assert name == "convae" or any("normalisation" in key and "missing" in key for key in told)


def test_what_does_nothing_is_no_explanation_and_each_change_is_played_once(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    path, small = find("ae").reference_file, recipe.load_check(find("ae").recipe_file)
    replays = explain_training.Replays(path, small, kept=True)
    right = trace.take(path, plain, small, looked_at=(1,))
    assert replays.whole(right) is None and replays.tried
    again = explain_training.Replays(path, small, kept=True)
    monkeypatch.setattr(again, "step", None)  # nothing is played a second time
    assert list(again._all()) == replays.played
    other = tmp_path / "reference.py"
    other.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert explain_training.Replays(other, small)._key != replays._key


def test_only_a_network_with_a_mix_of_its_own_is_told_of():
    """The generator's gradient is another one here because the discriminator's step is."""
    old = "self.discriminator.backward(d)\n        self.d_opt"
    found = words("gan", (old, old.replace("(d)", "(-d)", 1)))
    assert "has the wrong sign" in found["gradients"] and "generator:" not in str(found), found


def test_a_network_whose_gradient_is_no_mix_is_not_left_out():
    old = "self.discriminator.backward(d)\n        self.d_opt"
    found = words(
        "gan",
        (old, old.replace("(d)", "(3 * d)", 1)),
        ("2 * self.discriminator.backward(d)", "2 * self.discriminator.backward(d) ** 2"),
    )
    assert "counts 3 times" in found["gradients"], found
    assert "generator: wrong, too, and no mix of the losses explains it" in found["gradients"]


def test_a_loss_that_is_nan_is_explained_by_no_change():
    """Nearly any change that breaks a step gives it, too."""
    path, small = find("ae").reference_file, recipe.load_check(find("ae").recipe_file)
    played = [("x", {"loss": math.nan}, {}), ("y", {"loss": 2.0}, {})]
    replays = explain_training.Replays(path, small, played=played, over=True)
    assert replays.by_losses(Trace(losses=[{"loss": math.nan}])) == []
    assert replays.by_losses(Trace(losses=[{"loss": 2.0}])) == ["y"]


def test_a_network_that_is_not_updated_is_told_with_what_to_look_at():
    old = "        self.discriminator.backward(d)\n        self.d_optimizer.update()"
    for cleared in ("self.discriminator.clear()\n        self.d_optimizer.update()", ""):
        found = words("gan", (old, f"        self.discriminator.backward(d)\n        {cleared}"))
        assert "are gradients cleared between backward and the update?" in found["loss"], found
    right = {"a.w": np.ones(2), "b.w": np.ones(2)}
    said = explain_numbers.of_gradients({key: np.zeros(2) for key in right}, right)
    assert said.startswith("a and b get no gradient: their weights")


def test_a_loss_that_does_not_fit_in_anothers_place_is_not_tried():
    """A loss of labels is asked here of features: that ended the check."""
    replays = explain_training.Replays(
        find("improved_gan").reference_file, recipe.load_check(find("improved_gan").recipe_file)
    )
    named = {
        site.function.__name__: [one.__name__ for one in site.alternatives]
        for site in replays._sites
    }
    assert named["named"] == ["named"] and "named" not in named["matched"], named


def test_a_loss_that_asks_another_one_is_a_single_place(monkeypatch):
    """Each trial of one was a new place to try: a check never came to an end."""
    path, small = find("gan_landscape").reference_file, find("gan_landscape").recipe_file
    replays = explain_training.Replays(path, recipe.load_check(small))
    names = [site.function.__name__ for site in replays._sites]
    rounds = replays.recipe.train.rounds
    assert names == [*["real_loss", "fake_loss"] * rounds, "generator_loss"]
    old = "self.learn(images, real_loss)"
    found = words("gan_landscape", (old, "self.learn(images, fake_loss)"), steps=(1,))
    assert found["loss"], found
    monkeypatch.setattr(explain_training, "LONGEST", 0.0)
    assert not list(replays._all()) and not replays.over  # another check goes on from there


def test_a_mean_of_weights_that_counts_otherwise_is_told():
    found = words("improved_gan", ("/ (step + 1)", "/ (step + 2)"))
    assert "in follow, `(value - middle) / (step + 2)` is computed" in found["10 steps"], found


@pytest.mark.parametrize(
    ("old", "new", "stage", "said"),
    [
        (
            *("framework.Adam(settings,", "type('AdaGrad', (framework.Adam,), {})(settings,"),
            *("loss", "optimizer is AdaGrad, the recipe's is Adam"),
        ),
        (
            *(
                "2 * sigmoid(self.decoder(noise))",
                "np.random.rand() * sigmoid(self.decoder(noise))",
            ),
            *("forward", "gives other numbers when it is asked a second time"),
        ),
    ],
)
def test_what_only_the_run_can_see_is_told(old, new, stage, said):
    path, small = find("vae").reference_file, recipe.load_check(find("vae").recipe_file)
    expected = trace.take(path, plain, small, looked_at=(1,))
    text = (
        path.read_text(encoding="utf-8").replace(old, new).replace("target = (", "target = 2 * (")
    )
    code = compile(text, str(path), "exec")
    got = trace.take(path, plain, small, code, looked_at=(1,), right=expected)
    found = judge.Standard(small, path, plain, expected).judge(got, travel=False)
    assert said in next(r.message for r in found if r.name == stage), found


def test_other_classes_are_told():
    found = words("cgan", ("[labels]", "[labels - 1]"), steps=())
    assert "generate: in one_hot, `np.eye(classes)[labels - 1]`" in found["forward"], found


@pytest.mark.parametrize(
    ("name", "network", "layer", "change", "said"),
    [
        (
            *("convae", "encoder", "conv2", explain_networks._padded(0, 0)),
            "encoder: the convolution conv2 has a padding of 0, the recipe's is 1",
        ),
        (
            *("dcgan", "discriminator", "conv2", explain_networks._padded(1, 2)),
            "the convolution conv2 is padded by 1 before and 2 after; the recipe pads 2 on each",
        ),
        (
            *("convae", "decoder", "tconv1", explain_networks._settings(pad=0, out_pad=1)),
            "the transposed convolution tconv1 has a padding of 0 and an output padding of 1, the "
            "recipe's a padding of 0",
        ),
    ],
)
def test_other_paddings_are_told_whatever_the_shape(name, network, layer, change, said):
    small = recipe.load_check(find(name).recipe_file)
    placed = layers.networks(small)[network]
    place = next(i for i, one in enumerate(placed.layers) if one.name == layer)
    x = trace.shown(small, placed)
    got = explain_networks._output(placed, {place: change}, trace.drawn_weights(small), x, [])
    assert said in explain_networks.explain(network, got, small)


@pytest.mark.parametrize(
    ("name", "network", "layer", "change", "said"),
    [
        (
            *("convae", "encoder", "conv1", explain_networks._padded(1, 1, mode="edge")),
            "encoder: the convolution conv1 is padded with the pixels at its edge again",
        ),
        (
            *("ae", "encoder", 0, explain_networks._function(explain_networks._last_read_first)),
            "encoder: the flatten takes channels, height and width in another order",
        ),
        (
            *("lapgan", "discriminator1", 3, lambda one: []),
            "discriminator1: the dropout after fc1 is missing",
        ),
    ],
)
def test_edges_orders_and_single_dropouts_are_told(name, network, layer, change, said):
    small = recipe.load_check(find(name).recipe_file)
    placed = layers.networks(small)[network]
    places = {one.name: n for n, one in enumerate(placed.layers) if one.name}
    x, more = trace.shown(small, placed), trace.beside(small, placed, trace.asked(small))
    changed = {places.get(layer, layer): change}
    output = explain_networks._output(placed, changed, trace.drawn_weights(small), x, more)
    assert said in (found := str(explain_networks.explain(network, output, small))), found


def test_where_a_run_first_differs_is_told_with_what_is_still_right():
    small, standard, got = taken("wgan_gp", steps=(1, 2, 10))
    off = [dict(losses) for losses in got.losses]
    off[6]["penalty"] *= 1.01
    got.losses = off
    said = explain_numbers.of_steps(got, standard.expected, small)
    assert "from step 7 on: there penalty is wrong while wasserstein is still right" in said, said


def test_a_line_of_codes_that_is_too_short_is_told():
    found = words("vae_latent", ("np.linspace(-4, 4, 30)", "np.linspace(-3, 3, 30)"), steps=())
    assert "`np.linspace(-3, 3, 30)` is computed instead" in found["forward"]


def test_the_other_axis_is_told():
    found = words("metrics", ("log_softmax(part)", "log_softmax(part.T).T"), steps=())
    said = "inception: in log_softmax, it goes along axis 0 instead of axis 1"
    assert found["forward"].endswith(said), found


def test_formulas_are_changed_where_they_stand():
    tree = ast.parse("def f(a, b):\n    return a - 2 * b\n\n\ndef g(a):\n    return a\n")
    found = {change.said for change in changes.of_formulas(tree, ["f"])}
    assert "in f, `2 * b - a` is computed instead of `a - 2 * b`" in found
    assert "in f, `a - b` is computed instead of `a - 2 * b`" in found
    assert not any("in g" in said for said in found)
