"""Known mistakes, as changes to our own answers: what `knock check` must turn red, and its words.

A change is (old text, new text) for each framework in which the mistake can be made.
"""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Mistake:
    """A mistake, the part that must fail, and words that must stand in that part's message."""

    name: str
    question: str
    part: str
    words: str
    changes: dict[str, tuple[str, str]] = field(hash=False)


_ALL = ("pytorch", "tensorflow", "keras", "chainer")
_IMAGES = 'images = batch["images"]'

AE = [
    Mistake(
        "the encoder is not trained",
        "ae",
        "gradients",
        "encoder gets no gradient: its weights are not given to the optimiser",
        {
            "pytorch": ("[*self.encoder.parameters(), *self", "[*self"),
            "tensorflow": ("[*self.encoder.trainable_variables, *self", "[*self"),
            "keras": ("self.trainable_variables", "self.decoder.trainable_variables"),
            "chainer": (".setup(self)", ".setup(self.decoder)"),
        },
    ),
    Mistake(
        "the optimiser is never called",
        "ae",
        "gradients",
        "gets no gradient: its weights are not given to the optimiser",
        {
            "pytorch": ("        self.optimizer.step()\n", ""),
            "tensorflow": ("self.optimizer.apply(tape.gradient(loss, self.variables))", "pass"),
            "keras": (
                "        self.optimizer.apply(gradients, self.trainable_variables)\n",
                "",
            ),
            "chainer": ("        self.optimizer.update()\n", ""),
        },
    ),
    Mistake(
        "gradients are not cleared",
        "ae",
        "10 steps",
        "clear them before each step",
        {"pytorch": ("        self.optimizer.zero_grad()\n", "")},
    ),
    Mistake(
        "gradients are not cleared",
        "ae",
        "gradients",
        "not finite",  # Chainer fills a new gradient with NaN
        {"chainer": ("        self.cleargrads()\n", "")},
    ),
    Mistake(
        "height and width are swapped",
        "ae",
        "forward",
        "height and width are swapped",
        {
            "pytorch": ("= image_shape\n", "= (image_shape[0], image_shape[2], image_shape[1])\n"),
            "tensorflow": ("channels, height, width =", "channels, width, height ="),
            "keras": ("channels, height, width =", "channels, width, height ="),
            "chainer": ("= image_shape\n", "= (image_shape[0], image_shape[2], image_shape[1])\n"),
        },
    ),
    Mistake(
        "a sigmoid at the end",
        "ae",
        "forward",
        "decoder: a sigmoid stands at its end",
        {
            "pytorch": ("return flat.", "return flat.sigmoid()."),
            "tensorflow": ("return tf.reshape(flat,", "return tf.reshape(tf.sigmoid(flat),"),
            "keras": ("return self.reshape(flat)", "return self.reshape(ops.sigmoid(flat))"),
            "chainer": ("return F.reshape(flat, (-1", "return F.reshape(F.sigmoid(flat), (-1"),
        },
    ),
    Mistake(
        "RGB taken for BGR",
        "ae",
        "loss",
        "channels are in reverse order",
        {
            "pytorch": (_IMAGES, f"{_IMAGES}.flip(1)"),
            "tensorflow": (_IMAGES, f"{_IMAGES}[..., ::-1]"),
            "keras": (_IMAGES, f"{_IMAGES}[..., ::-1]"),
            "chainer": (_IMAGES, f"{_IMAGES}[:, ::-1]"),
        },
    ),
    Mistake(
        "images brought to [0, 1]",
        "ae",
        "loss",
        "brought to [0, 1]",
        {
            f: (_IMAGES, 'images = (batch["images"] + 1) / 2')
            for f in ("pytorch", "tensorflow", "keras", "chainer")
        },
    ),
    Mistake(
        "the loss is summed",
        "ae",
        "loss",
        "summed over everything instead of averaged",
        {
            "pytorch": (".square().mean()", ".square().sum()"),
            "tensorflow": ("tf.reduce_mean(", "tf.reduce_sum("),
            "keras": ("ops.mean(", "ops.sum("),
            "chainer": ("F.mean(", "F.sum("),
        },
    ),
    Mistake(
        "absolute instead of squared differences",
        "ae",
        "loss",
        "times as large",
        {
            "pytorch": (".square()", ".abs()"),
            "tensorflow": ("tf.square(", "tf.abs("),
            "keras": ("ops.square(", "ops.abs("),
            "chainer": ("F.square(", "F.absolute("),
        },
    ),
    Mistake(
        "another learning rate",
        "ae",
        "10 steps",
        "2 times as large: look at the learning rate",
        {
            f: ("settings.lr", "2 * settings.lr")
            for f in ("pytorch", "tensorflow", "keras", "chainer")
        },
    ),
    Mistake(
        "the framework's own Adam, whose epsilon means something else",
        "ae",
        "10 steps",
        "betas or epsilon",
        {
            "keras": ("framework.Adam(", "keras.optimizers.Adam("),
            "chainer": ("framework.Adam(", "chainer.optimizers.Adam("),
        },
    ),
    Mistake(
        "a code of another size",
        "ae",
        "parameters",
        "should be",
        {
            f: ('recipe.constants["code"]', '2 * recipe.constants["code"]')
            for f in ("pytorch", "tensorflow", "keras", "chainer")
        },
    ),
    Mistake(
        "the loss is turned around",
        "ae",
        "gradients",
        "every gradient is -1 times",
        {
            "pytorch": ("loss.backward()", "(-loss).backward()"),
            "tensorflow": (
                "tape.gradient(loss, self.variables)",
                "[-g for g in tape.gradient(loss, self.variables)]",
            ),
            "keras": ("apply(gradients,", "apply([-g for g in gradients],"),
            "chainer": ("loss.backward()", "(-loss).backward()"),
        },
    ),
    Mistake(
        "a state outside of the networks",
        "ae",
        "checkpoint",
        "outputs differ",
        {
            "pytorch": (
                "return self.decoder(self.encoder(images))",
                "return self.decoder(self.encoder(images)) + len(self.optimizer.state)",
            ),
        },
    ),
]

CONVAE = [
    Mistake(
        "no ReLU after the first convolution",
        "convae",
        "forward",
        "encoder differs, given the right weights",
        {
            "pytorch": ("F.relu(self.conv1(images))", "self.conv1(images)"),
            "tensorflow": ("tf.nn.relu(self.conv1(images))", "self.conv1(images)"),
            "keras": ("ops.relu(self.conv1(images))", "self.conv1(images)"),
            "chainer": ("F.relu(self.conv1(images))", "self.conv1(images)"),
        },
    ),
    Mistake(
        "a ReLU at the end",
        "convae",
        "forward",
        "decoder: a ReLU stands at its end",
        {
            "pytorch": ("return self.tconv2(h)", "return F.relu(self.tconv2(h))"),
            "tensorflow": ("return self.tconv2(h)", "return tf.nn.relu(self.tconv2(h))"),
            "keras": ("return self.tconv2(h)", "return ops.relu(self.tconv2(h))"),
            "chainer": ("return self.tconv2(h)", "return F.relu(self.tconv2(h))"),
        },
    ),
]

_DEVIATION = {
    "pytorch": "torch.exp(log_variance / 2)",
    "tensorflow": "tf.exp(log_variance / 2)",
    "keras": "ops.exp(log_variance / 2)",
    "chainer": "F.exp(log_variance / 2)",
}
_DRAW = 'reparameterize(mean, log_variance, batch["noise"])'
_KL = "kl = kl_loss(mean, log_variance)"
_TOTAL = "reconstruction + self.beta * kl"

VAE = [
    Mistake(
        "the KL averaged over pixels",
        "vae",
        "loss",
        "kl is averaged over the pixels instead of summed",
        {f: (_KL, f'{_KL} / math.prod(batch["images"].shape[1:])') for f in _ALL},
    ),
    Mistake(
        "the KL averaged over z",
        "vae",
        "loss",
        "the KL term is averaged over z instead of summed",
        {"pytorch": (_KL, f"{_KL} / mean.shape[1]")},
    ),
    Mistake(
        "the KL's sign is turned",
        "vae",
        "loss",
        "the KL term is subtracted",
        {f: ("return -0.5 *", "return 0.5 *") for f in _ALL},
    ),
    Mistake(
        "the KL is subtracted",
        "vae",
        "loss",
        "the KL term is subtracted",
        {f: (_TOTAL, _TOTAL.replace("+", "-")) for f in _ALL},
    ),
    Mistake(
        "the KL's sign is turned in what is told, not in what is trained",
        "vae",
        "loss",
        "kl has the wrong sign",
        {"pytorch": ('"kl": kl,', '"kl": -kl,')},
    ),
    Mistake(
        "beta is left out",
        "vae",
        "loss",
        "β is left out",
        {"pytorch": (_TOTAL, "reconstruction + kl")},
    ),
    Mistake(
        "the logarithm of the variance read as the deviation",
        "vae",
        "loss",
        "read as σ; it is log σ²",
        {f: (old, "log_variance") for f, old in _DEVIATION.items()},
    ),
    Mistake(
        "the logarithm of the variance read as the variance",
        "vae",
        "loss",
        "read as σ²; it is log σ²",
        {
            "pytorch": (_DEVIATION["pytorch"], "torch.sqrt(log_variance)"),
            "tensorflow": (_DEVIATION["tensorflow"], "tf.sqrt(log_variance)"),
            "keras": (_DEVIATION["keras"], "ops.sqrt(log_variance)"),
            "chainer": (_DEVIATION["chainer"], "F.sqrt(log_variance)"),
        },
    ),
    Mistake(
        "the logarithm of the variance read as the deviation in the KL",
        "vae",
        "loss",
        "read as σ; it is log σ²",
        {
            "pytorch": ("log_variance.exp()", "log_variance.square()"),
        },
    ),
    Mistake(
        "the logarithm of the variance read as the variance in the KL",
        "vae",
        "loss",
        "read as σ²; it is log σ²",
        {
            "pytorch": ("log_variance.exp()", "log_variance"),
        },
    ),
    Mistake(
        "the variance taken for the deviation",
        "vae",
        "loss",
        "read as log σ; it is log σ²",
        {f: (old, old.replace(" / 2", "")) for f, old in _DEVIATION.items()},
    ),
    Mistake(
        "the noise is dropped",
        "vae",
        "loss",
        "the noise is left out",
        {f: (f"return mean + {old} * noise", "return mean") for f, old in _DEVIATION.items()},
    ),
    Mistake(
        "one row of noise for all",
        "vae",
        "loss",
        "the noise is the same for every picture: its first row",
        {f: (f"{old} * noise", f"{old} * noise[:1]") for f, old in _DEVIATION.items()},
    ),
    Mistake(
        "the mean is dropped",
        "vae",
        "loss",
        "μ is left out",
        {f: (f"mean + {old}", old) for f, old in _DEVIATION.items()},
    ),
    Mistake(
        "the reconstruction averaged over pixels",
        "vae",
        "loss",
        "reconstruction is averaged over the pixels instead of summed",
        {
            "pytorch": ('reduction="sum") / len(images)', 'reduction="mean")'),
            "tensorflow": ("tf.reduce_sum(entropy) / len(images)", "tf.reduce_mean(entropy)"),
            "keras": ("ops.sum(entropy) / len(images)", "ops.mean(entropy)"),
            "chainer": (
                "F.sum(F.softplus(logits) - target * logits) / len(images)",
                "F.mean(F.softplus(logits) - target * logits)",
            ),
        },
    ),
    Mistake(
        "the reconstruction summed over the batch",
        "vae",
        "loss",
        "reconstruction is summed over the batch instead of averaged",
        {
            "pytorch": ('reduction="sum") / len(images)', 'reduction="sum")'),
        },
    ),
    Mistake(
        "the target left in [-1, 1]",
        "vae",
        "loss",
        "the cross-entropy's target is left in [-1, 1]",
        {f: ("target = (images + 1) / 2", "target = images") for f in _ALL},
    ),
    Mistake(
        "the draw lets no gradient pass",
        "vae",
        "gradients",
        "the gradient of encoder",
        {
            "pytorch": (_DRAW, f"{_DRAW}.detach()"),
            "tensorflow": (_DRAW, f"tf.stop_gradient({_DRAW})"),
            "keras": (_DRAW, f"ops.stop_gradient({_DRAW})"),
            "chainer": (_DRAW, f"{_DRAW}.array"),
        },
    ),
    Mistake(
        "generated pictures left in [0, 1]",
        "vae",
        "forward",
        "reconstruct: its range is [0, 1]",
        {
            "pytorch": (
                "2 * torch.sigmoid(self.decoder(noise)) - 1",
                "torch.sigmoid(self.decoder(noise))",
            ),
            "tensorflow": (
                "2 * tf.sigmoid(self.decoder(noise)) - 1",
                "tf.sigmoid(self.decoder(noise))",
            ),
            "keras": (
                "2 * ops.sigmoid(self.decoder(noise)) - 1",
                "ops.sigmoid(self.decoder(noise))",
            ),
            "chainer": ("2 * F.sigmoid(self.decoder(noise)) - 1", "F.sigmoid(self.decoder(noise))"),
        },
    ),
    Mistake(
        "the wrong half of the code",
        "vae",
        "forward",
        "encode differs",
        {"pytorch": ("[0]  # μ", "[1]  # μ")},
    ),
]

LATENT = [
    Mistake(
        "the line's end is left out",
        "vae_latent",
        "forward",
        "change",
        {
            "pytorch": ("torch.linspace(-2, 2, 10)", "torch.arange(-2, 2, 0.4)"),
            "keras": ("ops.linspace(-2.0, 2.0, 10,", "ops.linspace(-2.0, 1.6, 10,"),
            "chainer": ("self.xp.linspace(-2, 2, 10)", "self.xp.arange(-2, 2, 0.4)"),
        },
    ),
    Mistake(
        "the grid is upside down",
        "vae_latent",
        "forward",
        "change2",
        {
            "pytorch": ("steps.flip(0)", "steps"),
            "tensorflow": ("steps[::-1]", "steps"),
            "keras": ("ops.flip(steps)", "steps"),
            "chainer": ("steps[::-1]", "steps"),
        },
    ),
    Mistake(
        "the width of the cloud is shown for its middle",
        "vae_latent",
        "forward",
        "show",
        {
            "pytorch": ("dim=1)[0]", "dim=1)[1]"),
            **{f: ("axis=1)[0]", "axis=1)[1]") for f in ("tensorflow", "keras", "chainer")},
        },
    ),
]

_FAKE = 'fake = 2 * self.generator(batch["noise"]) - 1'
_D_LOSS = "called_real(real_logits) + called_fake(fake_logits)"
_REAL = 'real = batch["images"]'

GAN = [
    Mistake(
        "all labels are zero",
        "gan",
        "loss",
        "all labels are 0",
        {
            "pytorch": ("torch.ones_like(logits)", "torch.zeros_like(logits)"),
            "tensorflow": ("ones = tf.ones_like(", "ones = tf.zeros_like("),
            "keras": ("ones = ops.ones_like(", "ones = ops.zeros_like("),
            "chainer": ("F.mean(F.softplus(-logits))", "F.mean(F.softplus(logits))"),
        },
    ),
    Mistake(
        "real and fake are swapped",
        "gan",
        "loss",
        "real and fake are swapped",
        dict.fromkeys(_ALL, (_D_LOSS, "called_fake(real_logits) + called_real(fake_logits)")),
    ),
    Mistake(
        "the generator wants to be caught",
        "gan",
        "loss",
        "the generator is trained to be called fake",
        dict.fromkeys(_ALL, ("generator_loss = called_real(", "generator_loss = called_fake(")),
    ),
    Mistake(
        "the made pictures have another range",
        "gan",
        "loss",
        "the made pictures are left in [0, 1]",
        dict.fromkeys(_ALL, (_FAKE, 'fake = self.generator(batch["noise"])')),
    ),
    Mistake(
        "the discriminator's loss is averaged",
        "gan",
        "loss",
        "discriminator is halved",
        dict.fromkeys(_ALL, (_D_LOSS, f"({_D_LOSS}) / 2")),
    ),
    Mistake(
        "RGB is taken for BGR",
        "gan",
        "loss",
        "RGB taken for BGR",
        {
            "pytorch": (_REAL, _REAL + ".flip(1)"),
            "tensorflow": (_REAL, _REAL + "[..., ::-1]"),
            "keras": (_REAL, _REAL + "[..., ::-1]"),
            "chainer": (_REAL, _REAL + "[:, ::-1]"),
        },
    ),
    Mistake(
        "the discriminator is never updated",
        "gan",
        "loss",
        "the discriminator is not updated before the generator's loss is taken",
        {
            "pytorch": ("        self.d_optimizer.step()\n", ""),
            "tensorflow": (
                "self.d_optimizer.apply(tape.gradient(discriminator_loss, weights))",
                "pass",
            ),
            "keras": ("                self.d_optimizer.apply(gradients, weights)\n", ""),
            "chainer": ("        self.d_optimizer.update()\n", ""),
        },
    ),
    Mistake(
        "the generator is never updated",
        "gan",
        "gradients",
        "generator gets no gradient: its weights are not given to the optimiser",
        {
            "pytorch": ("        self.g_optimizer.step()\n", ""),
            "tensorflow": (
                "self.g_optimizer.apply(generator_tape.gradient(generator_loss, weights))",
                "pass",
            ),
            "keras": ("        self.g_optimizer.apply(gradients, weights)\n", ""),
            "chainer": ("        self.g_optimizer.update()\n", ""),
        },
    ),
    Mistake(
        "the made pictures are not detached",
        "gan",
        "loss",
        "Trying to backward through the graph a second time",
        {"pytorch": ("fake.detach()", "fake")},
    ),
    Mistake(
        "the discriminator's gradients are not cleared",
        "gan",
        "10 steps",
        "clear them before each step",
        {"pytorch": ("        self.d_optimizer.zero_grad()\n", "")},
    ),
    Mistake(
        "the discriminator's gradients are not cleared",
        "gan",
        "loss",
        "generator is nan",  # Chainer fills a new gradient with NaN
        {"chainer": ("        self.discriminator.cleargrads()\n", "")},
    ),
    Mistake(
        "the generator's sigmoid is missing",
        "gan",
        "forward",
        "generator: the sigmoid at its end is missing",
        {
            "pytorch": ("torch.sigmoid(self.pixels(h))", "self.pixels(h)"),
            "tensorflow": ("tf.sigmoid(self.pixels(h))", "self.pixels(h)"),
            "keras": ("ops.sigmoid(self.pixels(h))", "self.pixels(h)"),
            "chainer": ("F.sigmoid(self.pixels(h))", "self.pixels(h)"),
        },
    ),
    Mistake(
        "another slope",
        "gan",
        "forward",
        "generator differs, given the right weights",
        dict.fromkeys(_ALL, ("0.2)  # 128", "0.01)  # 128")),
    ),
    Mistake(
        "height and width are swapped",
        "gan",
        "forward",
        "height and width are swapped",
        {
            "pytorch": (
                "flat.unflatten(1, self.image_shape)",
                "flat.unflatten(1, (self.image_shape[0], *self.image_shape[:0:-1]))",
            ),
            "tensorflow": ("[-1, height, width, channels]", "[-1, width, height, channels]"),
            "keras": ("[height, width, channels]", "[width, height, channels]"),
            "chainer": (
                "(-1, *self.image_shape)",
                "(-1, self.image_shape[0], *self.image_shape[:0:-1])",
            ),
        },
    ),
]

_MADE = 'self.generator(batch["noise"])'
_SHARED = ("all labels", "real and fake", "the generator wants", "the discriminator's loss")
_SHARED += ("the discriminator is never", "the generator is never", "the made pictures are not")
_SHARED += ("the discriminator's gradients", "RGB")
_GAME = ("all labels are", "the generator wants", "the made pictures are not")


def _again(question, mistakes, names, frameworks):
    """The same mistakes in another question, in some frameworks: question 05 has them in all."""
    for m in mistakes:
        changes = {f: change for f, change in m.changes.items() if f in frameworks}
        if m.name.startswith(names) and changes:
            yield replace(m, question=question, changes=changes)


DCGAN = [
    *_again("dcgan", GAN, _SHARED, ("pytorch", "chainer")),
    Mistake(
        "the fake batch is made in evaluation mode",
        "dcgan",
        "loss",
        "the fake batch is made in evaluation mode",
        {
            "pytorch": (f"fake = {_MADE}", f"fake = self.generator.eval(){_MADE[14:]}"),
            "tensorflow": (_MADE, _MADE[:-1] + ", training=False)"),
            "keras": (_MADE, _MADE[:-1] + ", training=False)"),
            "chainer": (
                f"        fake = {_MADE}",
                f'        with chainer.using_config("train", False):\n            fake = {_MADE}',
            ),
        },
    ),
    Mistake(
        "the momentum of batch normalisation is given as its ε",
        "dcgan",
        "forward",
        "generator differs, given the right weights",
        {
            "pytorch": ("nn.BatchNorm2d(4 * width)", "nn.BatchNorm2d(4 * width, 0.1)"),
            "keras": (
                "self.bn1 = framework.BatchNorm()",
                "self.bn1 = framework.BatchNorm(0.9, 0.1)",
            ),
            "chainer": ("eps=1e-5", "eps=0.1"),
        },
    ),
    Mistake(
        "the old share of batch normalisation is taken for the new",
        "dcgan",
        "batch norm",
        "look at the momentum (new share 0.1)",
        {
            "pytorch": ("nn.BatchNorm2d(4 * width)", "nn.BatchNorm2d(4 * width, momentum=0.9)"),
            "keras": ("self.bn1 = framework.BatchNorm()", "self.bn1 = framework.BatchNorm(0.1)"),
            "chainer": ("decay=0.9", "decay=0.1"),
        },
    ),
    Mistake(
        "the generator's tanh is missing",
        "dcgan",
        "forward",
        "generator: the tanh at its end is missing",
        {
            "pytorch": ("torch.tanh(self.pixels(h))", "self.pixels(h)"),
            "tensorflow": ("tf.tanh(self.pixels(h))", "self.pixels(h)"),
            "keras": ("ops.tanh(self.pixels(h))", "self.pixels(h)"),
            "chainer": ("F.tanh(self.pixels(h))", "self.pixels(h)"),
        },
    ),
    Mistake(
        "pictures are made in training mode",
        "dcgan",
        "forward",
        "generate differs",
        {
            "pytorch": ("        self.generator.eval()", "        pass"),
            "tensorflow": ("self.generator(noise, training=False)", "self.generator(noise)"),
            "keras": ("self.generator(noise, training=False)", "self.generator(noise)"),
            "chainer": (', chainer.using_config("train", False):', ":"),
        },
    ),
    Mistake(
        "height and width are swapped in the small map",
        "dcgan",
        "forward",
        "generator gives 4×2×32×16, expected 4×2×16×32",
        {
            "pytorch": ("(2 * width, h // 16, w // 16)", "(2 * width, w // 16, h // 16)"),
            "tensorflow": ("[-1, h // 16, w // 16,", "[-1, w // 16, h // 16,"),
            "keras": ("Reshape([h // 16, w // 16,", "Reshape([w // 16, h // 16,"),
        },
    ),
]

_CLASSES = 'classes = self.one_hot(batch["labels"])'
_ASKED = 'self.generator(ask(batch["noise"], classes))'

CGAN = [
    *_again("cgan", DCGAN, _GAME, ("pytorch", "chainer")),
    Mistake(
        "every picture is taken for class 0",
        "cgan",
        "loss",
        "every class is taken for class 0",
        dict.fromkeys(_ALL, (_CLASSES, 'classes = self.one_hot(0 * batch["labels"])')),
    ),
    Mistake(
        "the classes are counted from 1",
        "cgan",
        "loss",
        "the classes are counted from 1",
        dict.fromkeys(
            _ALL, (_CLASSES, 'classes = self.one_hot((batch["labels"] + 1) % self.classes)')
        ),
    ),
    Mistake(
        "the classes are left out",
        "cgan",
        "loss",
        "the one-hot classes are left out",
        dict.fromkeys(_ALL, (_CLASSES, 'classes = 0 * self.one_hot(batch["labels"])')),
    ),
    Mistake(
        "the discriminator is not told what the made pictures should show",
        "cgan",
        "loss",
        "the discriminator is not told the made pictures' classes",
        dict.fromkeys(_ALL, (f"tell({_ASKED}, classes)", f"tell({_ASKED}, 0 * classes)")),
    ),
    Mistake(
        "the one-hot planes are flattened wrongly",
        "cgan",
        "loss",
        "flattened wrongly: pixels before classes",
        {
            "pytorch": (
                "classes[:, :, None, None].expand(-1, -1, *images.shape[2:])",
                "classes.repeat(1, images[0, 0].numel())"
                ".reshape(*classes.shape, *images.shape[2:])",
            ),
            "chainer": (
                "F.broadcast_to(classes[:, :, None, None], shape)",
                "F.reshape(F.tile(classes, (1, images[0, 0].size)), shape)",
            ),
        },
    ),
    Mistake(
        "the one-hot planes are flattened wrongly",
        "cgan",
        "loss",
        "flattened wrongly: classes before pixels",
        {
            "tensorflow": (
                "planes = planes * tf.ones_like(images[..., :1])",
                "h, w = images.shape[1:3]\n    planes = tf.reshape("
                "tf.repeat(classes, h * w, axis=1), [-1, h, w, classes.shape[1]])",
            ),
            "keras": (
                "planes = planes * ops.ones_like(images[..., :1])",
                "h, w = images.shape[1:3]\n    planes = ops.reshape("
                "ops.repeat(classes, h * w, axis=1), [-1, h, w, classes.shape[1]])",
            ),
        },
    ),
    Mistake(
        "the class comes before the noise",
        "cgan",
        "forward",
        "generate differs",
        dict.fromkeys(_ALL, ("[noise, classes]", "[classes, noise]")),
    ),
    Mistake(
        "the fake batch is made in evaluation mode",
        "cgan",
        "loss",
        "the fake batch is made in evaluation mode",
        {
            "pytorch": (_ASKED, _ASKED.replace("generator(", "generator.eval()(")),
            "tensorflow": (_ASKED, _ASKED[:-1] + ", training=False)"),
            "keras": (_ASKED, _ASKED[:-1] + ", training=False)"),
        },
    ),
]

_PAIRS_LOSS = "(called_real(real_logits) + called_fake(fake_logits)) / 2"
_CHANNELS_REVERSED = {
    "pytorch": ('batch["images"]', 'batch["images"].flip(1)'),
    "tensorflow": ('batch["images"]', 'batch["images"][..., ::-1]'),
    "keras": ('batch["images"]', 'batch["images"][..., ::-1]'),
    "chainer": ('batch["images"]', 'batch["images"][:, ::-1]'),
}

PIX2PIX = [
    *_again("pix2pix", GAN, _GAME, ("tensorflow", "keras")),
    Mistake(
        "the made pictures are not detached",
        "pix2pix",
        "loss",
        "Trying to backward through the graph a second time",
        {"pytorch": ("fake_pair.detach()", "fake_pair")},
    ),
    Mistake(
        "the discriminator's gradients are not cleared",
        "pix2pix",
        "10 steps",
        "clear them before each step",
        {"pytorch": ("        self.d_optimizer.zero_grad()\n", "")},
    ),
    Mistake(
        "real and fake are swapped",
        "pix2pix",
        "loss",
        "real and fake are swapped",
        dict.fromkeys(
            _ALL, (_PAIRS_LOSS, "(called_fake(real_logits) + called_real(fake_logits)) / 2")
        ),
    ),
    Mistake(
        "the discriminator's loss is not halved",
        "pix2pix",
        "loss",
        "the discriminator's loss is not halved",
        dict.fromkeys(_ALL, (_PAIRS_LOSS, _PAIRS_LOSS[:-4])),
    ),
    Mistake(
        "L1 is taken against the input",
        "pix2pix",
        "loss",
        "L1 is taken against the input instead of the target",
        {
            "pytorch": ("F.l1_loss(fake, targets)", "F.l1_loss(fake, images)"),
            "tensorflow": ("tf.abs(fake - targets)", "tf.abs(fake - images)"),
            "keras": ("ops.abs(fake - targets)", "ops.abs(fake - images)"),
            "chainer": ("F.absolute(fake - targets)", "F.absolute(fake - images)"),
        },
    ),
    Mistake(
        "L2 is taken for L1",
        "pix2pix",
        "loss",
        "L2 is taken instead of L1",
        {
            "pytorch": ("F.l1_loss(", "F.mse_loss("),
            "tensorflow": ("tf.abs(fake", "tf.square(fake"),
            "keras": ("ops.abs(fake", "ops.square(fake"),
            "chainer": ("F.absolute(fake", "F.square(fake"),
        },
    ),
    Mistake(
        "the weight of L1 is forgotten",
        "pix2pix",
        "gradients",
        "",
        dict.fromkeys(_ALL, ("self.l1_weight * l1", "l1")),
    ),
    Mistake(
        "the discriminator does not see the input",
        "pix2pix",
        "loss",
        "the discriminator does not see the input",
        dict.fromkeys(_ALL, ("([images, ", "([0 * images, ")),
    ),
    Mistake(
        "dropout is switched off",
        "pix2pix",
        "forward",
        "generator differs",
        dict.fromkeys(_ALL, ("if self.depth - k < len(masks):", "if False:")),
    ),
    Mistake(
        "the skips carry nothing",
        "pix2pix",
        "forward",
        "generator differs",
        dict.fromkeys(_ALL, ("kept.append(h)", "kept.append(0 * h)")),
    ),
    Mistake(
        "RGB is taken for BGR",
        "pix2pix",
        "loss",
        "RGB taken for BGR",
        _CHANNELS_REVERSED,
    ),
    Mistake(
        "the generator's tanh is missing",
        "pix2pix",
        "forward",
        "generator: the tanh at its end is missing",
        {
            "pytorch": ("return torch.tanh(h)", "return h"),
            "tensorflow": ("return tf.tanh(h)", "return h"),
            "keras": ("return ops.tanh(h)", "return h"),
            "chainer": ("return F.tanh(h)", "return h"),
        },
    ),
]

_SCORES = {
    "pytorch": "self.critic(images).mean() - self.critic(fake).mean()",
    "tensorflow": "tf.reduce_mean(real) - tf.reduce_mean(made)",
    "keras": "ops.mean(real) - ops.mean(made)",
    "chainer": "F.mean(self.critic(images)) - F.mean(self.critic(fake))",
}
_TURNED = {
    "pytorch": "self.critic(fake).mean() - self.critic(images).mean()",
    "tensorflow": "tf.reduce_mean(made) - tf.reduce_mean(real)",
    "keras": "ops.mean(made) - ops.mean(real)",
    "chainer": "F.mean(self.critic(fake)) - F.mean(self.critic(images))",
}
_FIRST_ROUND = {
    "pytorch": (".split(self.batch_size) for", "[: self.batch_size].chunk(1) * 2 for"),
    "chainer": (
        "self.xp.split(batch[name], self.rounds) for",
        "self.xp.split(batch[name], self.rounds)[:1] * self.rounds for",
    ),
}

_REAL_REUSED = {
    "pytorch": (
        "            with torch.no_grad():  # the generator",
        '            images = batch["images"][: self.batch_size]\n'
        "            with torch.no_grad():  # the generator",
    )
}

WGAN = [
    Mistake(
        "one batch is taken for all of the critic's steps",
        "wgan",
        "loss",
        "one and the same batch is taken for all of the critic's steps",
        _FIRST_ROUND,
    ),
    Mistake(
        "the real batch is taken for all of the critic's steps",
        "wgan",
        "loss",
        "takes the first batch's real pictures",
        _REAL_REUSED,
    ),
    Mistake(
        "the weights are not clipped",
        "wgan",
        "loss",
        "the weights are not clipped",
        {
            "pytorch": ("weight.clamp_(-self.clip, self.clip)", "pass"),
            "keras": ("weight.assign(ops.clip(weight, -self.clip, self.clip))", "pass"),
        },
    ),
    Mistake(
        "batch normalisation's weights are not clipped",
        "wgan",
        "loss",
        "γ and β of the batch normalisation are not clipped",
        {
            "pytorch": (
                "                    weight.clamp_(-self.clip, self.clip)",
                "                    if weight.ndim > 1 or len(weight) == 1:\n"
                "                        weight.clamp_(-self.clip, self.clip)",
            ),
        },
    ),
    Mistake(
        "the generator is clipped",
        "wgan",
        "loss",
        "the generator's weights are clipped, too",
        {"pytorch": ("for weight in self.critic.parameters()", "for weight in self.parameters()")},
    ),
    Mistake(
        "running averages are clipped",
        "wgan",
        "batch norm",
        "critic.",
        {
            "pytorch": (
                "for weight in self.critic.parameters()",
                "for weight in filter(torch.is_floating_point, self.critic.state_dict().values())",
            ),
        },
    ),
    Mistake(
        "the weights are clipped before the update",
        "wgan",
        "loss",
        "clipped before the update",
        {
            "pytorch": (
                "            self.c_optimizer.step()\n",
                "            for weight in self.critic.parameters():\n"
                "                weight.data.clamp_(-self.clip, self.clip)\n"
                "            self.c_optimizer.step()\n            continue\n",
            ),
            "chainer": (
                "            self.c_optimizer.update()\n",
                "            for weight in self.critic.params():\n"
                "                weight.array.clip(-self.clip, self.clip, out=weight.array)\n"
                "            self.c_optimizer.update()\n            continue\n",
            ),
        },
    ),
    Mistake(
        "a sigmoid is left in the critic",
        "wgan",
        "forward",
        "critic: a sigmoid stands at its end that the recipe does not have",
        {
            "pytorch": ("self.score(h.flatten(1))", "torch.sigmoid(self.score(h.flatten(1)))"),
            "tensorflow": (
                "self.score(tf.reshape(h, self.flat))",
                "tf.sigmoid(self.score(tf.reshape(h, self.flat)))",
            ),
        },
    ),
    Mistake(
        "the critic is trained the wrong way round",
        "wgan",
        "loss",
        "",
        {f: (_SCORES[f], _TURNED[f]) for f in ("tensorflow", "keras")},
    ),
    Mistake(
        "the generator is never updated",
        "wgan",
        "gradients",
        "generator gets no gradient",
        {"pytorch": ("        self.g_optimizer.step()\n", "")},
    ),
]

_MIXED = "epsilon * images + (1 - epsilon) * fake"
_FAKE = "                fake = self.generator(noise)\n"

WGAN_GP = [
    Mistake(
        "one batch is taken for all of the critic's steps",
        "wgan_gp",
        "loss",
        "one and the same batch is taken for all of the critic's steps",
        {"pytorch": _FIRST_ROUND["pytorch"]},
    ),
    Mistake(
        "the real batch is taken for all of the critic's steps",
        "wgan_gp",
        "loss",
        "takes the first batch's real pictures",
        _REAL_REUSED,
    ),
    Mistake(
        "one ε serves the whole batch",
        "wgan_gp",
        "loss",
        "the epsilon is the same for every picture",
        {f: (_MIXED, _MIXED.replace("epsilon", "epsilon[:1]")) for f in ("pytorch", "tensorflow")},
    ),
    Mistake(
        "ε is drawn for each pixel",
        "wgan_gp",
        "loss",
        "does train_step draw numbers of its own?",
        {"pytorch": (_FAKE, f"{_FAKE}            epsilon = torch.rand_like(images)\n")},
    ),
    Mistake(
        "ε is normal",
        "wgan_gp",
        "loss",
        "does train_step draw numbers of its own?",
        {"pytorch": (_FAKE, f"{_FAKE}            epsilon = torch.randn_like(epsilon)\n")},
    ),
    Mistake(
        "the penalty is taken on real pictures only",
        "wgan_gp",
        "loss",
        "the penalty is taken on the real pictures only",
        {
            f: (_MIXED, _MIXED.replace("(1 - epsilon) * fake", "(1 - epsilon) * images"))
            for f in _ALL[:3]
        },
    ),
    Mistake(
        "the slope's length is taken at each pixel",
        "wgan_gp",
        "loss",
        "the slope's length is taken at each pixel, over its channels",
        {
            "pytorch": ("sum(dim=(1, 2, 3))", "sum(dim=1)"),
            "keras": ("axis=[1, 2, 3])", "axis=[3])"),
        },
    ),
    Mistake(
        "the penalty teaches nothing",
        "wgan_gp",
        "loss",
        "the penalty teaches nothing: no gradient goes back through the slope",
        {
            "pytorch": ("self.weight * penalty -", "self.weight * penalty.detach() -"),
            "chainer": (", enable_double_backprop=True", ""),
        },
    ),
    Mistake(
        "batch normalisation stands in the critic",
        "wgan_gp",
        "parameters",
        "running_mean",
        {"pytorch": ("self.ln2 = LayerNorm(", "self.ln2 = nn.BatchNorm2d(")},
    ),
    Mistake(
        "batch normalisation of the batch alone stands in the critic",
        "wgan_gp",
        "forward",
        "critic differs",
        {
            "pytorch": (
                "self.ln2 = LayerNorm(2 * width)",
                "self.ln2 = nn.BatchNorm2d(2 * width, track_running_stats=False)",
            ),
        },
    ),
    Mistake(
        "the whole batch has one slope's length",
        "wgan_gp",
        "loss",
        "the whole batch has one slope's length",
        {"pytorch": (".sum(dim=(1, 2, 3))", ".sum()")},
    ),
    Mistake(
        "layer normalisation takes TensorFlow's moments, which stop the gradient",
        "wgan_gp",
        "loss",
        "",
        {
            "keras": (
                "framework.LayerNorm()",
                "layers.GroupNormalization(1, epsilon=1e-5)",
            ),
        },
    ),
]

_CODE_LOSS = "called_real(drawn) + called_fake(encoded)"
_JUDGED = "called_real(real) + called_fake(copied) + called_fake(faked)"
_HEARD = "ratio(copied) + ratio(faked)"

ALPHA_GAN = [
    Mistake(
        "prior and posterior are swapped",
        "alpha_gan",
        "loss",
        "prior and posterior are swapped in the code discriminator's loss",
        {
            f: (_CODE_LOSS, "called_fake(drawn) + called_real(encoded)")
            for f in ("pytorch", "tensorflow")
        },
    ),
    Mistake(
        "the density ratio has the wrong sign",
        "alpha_gan",
        "loss",
        "the sign of the density ratio is turned",
        {"chainer": ("return -F.mean(logits)", "return F.mean(logits)")},
    ),
    Mistake(
        "the density ratio has the wrong sign on the samples alone",
        "alpha_gan",
        "loss",
        "right: encoder, discriminator, code_discriminator, l1",
        {"pytorch": (_HEARD, _HEARD.replace("+", "-"))},
    ),
    Mistake(
        "the generator has question 05's loss",
        "alpha_gan",
        "loss",
        "only −log σ is left of the density ratio",
        {"pytorch": (_HEARD, _HEARD.replace("ratio", "called_real"))},
    ),
    Mistake(
        "the generator's loss on its samples is never used",
        "alpha_gan",
        "loss",
        "the generator does not hear what the discriminator says of its samples",
        {"keras": (_HEARD, "ratio(copied)")},
    ),
    Mistake(
        "real and fake are swapped",
        "alpha_gan",
        "loss",
        "real and fake are swapped in the discriminator's loss",
        {
            "chainer": (
                _JUDGED,
                "called_fake(real) + called_real(copied) + called_real(faked)",
            )
        },
    ),
    Mistake(
        "the reconstructions are not shown to the discriminator",
        "alpha_gan",
        "loss",
        "the discriminator is not shown the reconstructions",
        {"tensorflow": (_JUDGED, "called_real(real) + called_fake(faked)")},
    ),
    Mistake(
        "L1 is averaged over the pixels",
        "alpha_gan",
        "loss",
        "l1 is averaged over the pixels instead of summed",
        {"pytorch": (".abs().sum() / len(images)", ".abs().mean()")},
    ),
    Mistake(
        "L1 is taken of the samples",
        "alpha_gan",
        "loss",
        "the reconstructions are made from the noise instead of the codes",
        {"chainer": ("F.absolute(images - copies)", "F.absolute(images - fakes)")},
    ),
    Mistake(
        "RGB is taken for BGR",
        "alpha_gan",
        "loss",
        "RGB taken for BGR",
        {"tensorflow": _CHANNELS_REVERSED["tensorflow"]},
    ),
    Mistake(
        "every loss teaches every network",
        "alpha_gan",
        "gradients",
        "the gradient of encoder",
        {"pytorch": ("inputs=list(network.parameters()), ", "")},
    ),
    Mistake(
        "the codes let no gradient of the distance pass",
        "alpha_gan",
        "gradients",
        "the gradient of encoder",
        {"keras": ("self.generator(codes), ", "self.generator(ops.stop_gradient(codes)), ")},
    ),
    Mistake(
        "the code discriminator's loss is never used",
        "alpha_gan",
        "gradients",
        "code_discriminator gets no gradient",
        {"chainer": ("self.d_optimizer, self.c_optimizer):", "self.d_optimizer):")},
    ),
    Mistake(
        "the encoder is never updated",
        "alpha_gan",
        "gradients",
        "encoder gets no gradient",
        {"pytorch": ("for optimizer in (self.e_optimizer, ", "for optimizer in (")},
    ),
    Mistake(
        "the weight of L1 is forgotten",
        "alpha_gan",
        "gradients",
        "the gradient of encoder",
        {"tensorflow": ("self.l1_weight * l1", "l1")},
    ),
    Mistake(
        "the samples are made before the reconstructions",
        "alpha_gan",
        "batch norm",
        "running_mean differs",
        {
            "pytorch": (
                "copies, fakes = self.generator(codes), self.generator(noise)",
                "fakes, copies = self.generator(noise), self.generator(codes)",
            )
        },
    ),
    Mistake(
        "the discriminator has no batch normalisation",
        "alpha_gan",
        "parameters",
        "discriminator has no bn2.weight",
        {"chainer": ("framework.BatchStatistics", "(lambda channels: F.identity)")},
    ),
    Mistake(
        "height and width are swapped in the small map",
        "alpha_gan",
        "forward",
        "generator gives 4×2×32×16, expected 4×2×16×32",
        {"pytorch": ("(2 * width, h // 16, w // 16)", "(2 * width, w // 16, h // 16)")},
    ),
    Mistake(
        "reconstructions are made in training mode",
        "alpha_gan",
        "forward",
        "reconstruct differs",
        {"tensorflow": ("self.encoder(images, training=False)", "self.encoder(images)")},
    ),
]

_DRAWN = "tell(images, classes), tell(self.draw(low, noise, classes), classes)"
_SHARED_LEVELS = (
    "getattr(level, part))",
    'getattr(self.levels[1] if level.k > 2 and part == "generator" else level, part))',
)

LAPGAN = [
    Mistake(
        "pictures are not smoothed before they get smaller",
        "lapgan",
        "forward",
        "coarsest: pictures are not smoothed before they get smaller",
        dict.fromkeys(("pytorch", "keras"), ("lambda n, m: stretch(n, m) @ blur(n)", "stretch")),
    ),
    Mistake(
        "nothing is smoothed",
        "lapgan",
        "forward",
        "coarsest, generate: nothing is smoothed",
        dict.fromkeys(
            ("tensorflow", "chainer"),
            ("return (rows[:-2] + 2 * rows[1:-1] + rows[2:]) / 4", "return np.eye(n)"),
        ),
    ),
    Mistake(
        "the residual is not added back",
        "lapgan",
        "forward",
        "generate: the residual is not added to the enlarged picture",
        dict.fromkeys(_ALL, ("return low + self.generator(", "return self.generator(")),
    ),
    Mistake(
        "levels share a network",
        "lapgan",
        "parameters",
        "are one and the same: each has its own",
        dict.fromkeys(("pytorch", "keras"), _SHARED_LEVELS),
    ),
    Mistake(
        "the discriminators see residuals alone",
        "lapgan",
        "loss",
        "the enlarged picture is not added to the residual before the discriminator looks",
        dict.fromkeys(
            ("pytorch", "chainer"),
            (
                _DRAWN,
                "(tell(one if low is None else one - low, classes) "
                "for one in (images, self.draw(low, noise, classes)))",
            ),
        ),
    ),
    Mistake(
        "the epoch never advances",
        "lapgan",
        "10 steps",
        "in which the second epoch begins",
        {
            "pytorch": ('self.set_rates(int(batch["epoch"]))', "self.set_rates(0)"),
            "tensorflow": ('batch["epoch"]', '0 * batch["epoch"]'),
            "chainer": ('self.set_rates(int(batch["epoch"]))', "self.set_rates(0)"),
        },
    ),
    Mistake(
        "the generators want to be called fake",
        "lapgan",
        "loss",
        "the generators are trained to be called fake",
        dict.fromkeys(
            ("pytorch", "chainer"),
            ("called_real(self.discriminator(fake", "called_fake(self.discriminator(fake"),
        ),
    ),
    Mistake(
        "the discriminators' losses are never used",
        "lapgan",
        "loss",
        "the discriminators are not updated before the generators' losses are taken",
        {
            "pytorch": ("        self.d_optimizer.step()\n", ""),
            "keras": (
                "self.d_optimizer.apply(tape.gradient(discriminator_loss, weights), weights)",
                "pass",
            ),
        },
    ),
    Mistake(
        "there is no momentum",
        "lapgan",
        "gradients",
        "d_optimizer1 trains, but keeps no momentum: is it the recipe's SGD?",
        {"chainer": ("optimizer.momentum = min(", "optimizer.momentum = 0 * min(")},
    ),
    Mistake(
        "height and width are swapped",
        "lapgan",
        "forward",
        "generator1: height and width are swapped when the flat numbers become a picture",
        {
            "tensorflow": ("[-1, h, w, channels]", "[-1, w, h, channels]"),
            "chainer": (
                "self.map_shape = (-1, *image_shape)",
                "self.map_shape = (-1, image_shape[0], *image_shape[:0:-1])",
            ),
        },
    ),
    Mistake(
        "the noise of a level is left out",
        "lapgan",
        "loss",
        "the noise2 is left out",
        {"pytorch": ('batch[f"noise{level.k}"]', '(level.k != 2) * batch[f"noise{level.k}"]')},
    ),
]

EVERY = (*AE, *CONVAE, *VAE, *LATENT, *GAN, *DCGAN, *CGAN, *PIX2PIX)
EVERY += (*WGAN, *WGAN_GP, *LAPGAN, *ALPHA_GAN)
