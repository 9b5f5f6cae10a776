"""Known mistakes, as changes to our own answers: what `knock check` must turn red, and its words.

A change is (old text, new text) for each framework in which the mistake can be made.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mistake:
    """A mistake, the part that must fail, and words that must stand in that part's message."""

    name: str
    question: str
    part: str
    words: str
    changes: dict[str, tuple[str, str]] = field(hash=False)


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
