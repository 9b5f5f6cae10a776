"""Question 07 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

REAL, FAKE = 1.0, 0.0


def aim():
    """What the generator wants its pictures to be called."""
    return REAL


def make(generator, asked):
    return generator(asked)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def planes(classes, height, width):
    """N×classes as N×classes×H×W."""
    return np.broadcast_to(classes[:, :, None, None], (*classes.shape, height, width))


def planes_of_fakes(classes, height, width):
    return planes(classes, height, width)


def leak(generator, slope):
    """What the discriminator's step teaches the generator: nothing."""


def hear(discriminator, fake):
    """What the discriminator says of the made pictures when the generator learns."""
    return discriminator(fake)


def ask(noise, classes):
    """What the generator is given."""
    return np.concatenate([noise, classes], axis=1)


def learn(optimizer):
    """The discriminator's update, before the generator's loss is taken."""
    optimizer.update()


def entropy(logits, label):
    """Mean of −label · log σ(logit) − (1 − label) · log(1 − σ(logit)), and its gradient."""
    loss = (np.logaddexp(0, logits) - label * logits).mean()
    return loss, (1 / (1 + np.exp(-logits)) - label) / logits.size


def flat_wrongly(classes, height, width):
    """One-hots repeated and then cut up as if the pixels came first."""
    flat = np.repeat(classes[:, None], height * width, axis=1)
    return flat.reshape(*classes.shape, height, width)


def flat_wrongly_last(classes, height, width):
    """The same where channels come last: every class repeated, and cut up as if it came last."""
    flat = np.repeat(classes, height * width, axis=1)
    return flat.reshape(len(classes), height, width, -1).transpose(0, 3, 1, 2)


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "real and fake are swapped": {"REAL": 0.0, "FAKE": 1.0, "aim": lambda: 1.0},
    "all labels are 0": {"REAL": 0.0},
    "all labels are 1": {"FAKE": 1.0},
    "the generator is trained to be called fake": {"aim": lambda: FAKE},
    "the fake batch is made in evaluation mode": {"make": framework.evaluate},
    "every class is taken for class 0": {"one_hot": lambda y, k: np.eye(k)[0 * y]},
    "the classes are counted from 1": {"one_hot": lambda y, k: np.eye(k)[(y + 1) % k]},
    "the one-hot classes are left out": {"one_hot": lambda y, k: np.zeros((len(y), k))},
    "the one-hot planes are flattened wrongly: pixels before classes": {"planes": flat_wrongly},
    "the one-hot planes are flattened wrongly: classes before pixels": {
        "planes": flat_wrongly_last
    },
    "the discriminator is not told the made pictures' classes": {
        "planes_of_fakes": lambda y, h, w: np.zeros((*y.shape, h, w))
    },
    "the classes come before the noise": {"ask": lambda z, y: np.concatenate([y, z], axis=1)},
    "the discriminator is not updated before the generator's loss is taken": {
        "learn": lambda optimizer: None
    },
    "the generator receives gradients from the discriminator's step: the fake batch is not "
    "detached": {"leak": lambda generator, slope: generator.backward(slope)},
    "the discriminator is in evaluation mode during the generator's step": {
        "hear": framework.evaluate
    },
}


class ConditionalGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.classes = recipe.constants["classes"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        (channels, *sides), classes = images.shape[1:], one_hot(batch["labels"], self.classes)
        made = make(self.generator, ask(noise, classes))
        fake = np.concatenate([made, planes_of_fakes(classes, *sides)], axis=1)
        real = np.concatenate([images, planes(classes, *sides)], axis=1)
        real_loss, d = entropy(self.discriminator(real), REAL)
        self.discriminator.backward(d)
        fake_loss, d = entropy(self.discriminator(fake), FAKE)
        leak(self.generator, self.discriminator.backward(d)[:, :channels])
        learn(self.d_optimizer)

        generator_loss, d = entropy(hear(self.discriminator, fake), aim())
        self.generator.backward(self.discriminator.backward(d)[:, :channels])
        self.discriminator.clear()
        self.g_optimizer.update()
        return {"discriminator": real_loss + fake_loss, "generator": generator_loss}

    def generate(self, noise, labels):
        asked = ask(noise, one_hot(labels, self.classes))
        return framework.evaluate(self.generator, asked)
