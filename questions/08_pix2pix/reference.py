"""Question 08 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

REAL, FAKE = 1.0, 0.0
HALF = 0.5  # of the discriminator's loss: it shall not run away


def aim():
    """What the generator wants its pictures to be called."""
    return REAL


def wanted(images, targets):
    """What the made picture is compared with."""
    return targets


def far(difference):
    """The mean distance, and its gradient."""
    return np.abs(difference).mean(), np.sign(difference) / difference.size


def told(images):
    """What the discriminator sees beside the picture to be judged."""
    return images


def dropped(masks):
    """The dropouts' masks as the generator gets them."""
    return masks


def leak(generator, slope):
    """What the discriminator's step teaches the generator: nothing."""


def weighed(weight, slope):
    """What the distance counts for the generator."""
    return weight * slope


def learn(optimizer):
    """The discriminator's update, before the generator's loss is taken."""
    optimizer.update()


def entropy(logits, label):
    """Mean of −label · log σ(logit) − (1 − label) · log(1 − σ(logit)), and its gradient."""
    loss = (np.logaddexp(0, logits) - label * logits).mean()
    return loss, (1 / (1 + np.exp(-logits)) - label) / logits.size


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "real and fake are swapped": {"REAL": 0.0, "FAKE": 1.0, "aim": lambda: 1.0},
    "all labels are 0": {"REAL": 0.0},
    "all labels are 1": {"FAKE": 1.0},
    "the generator is trained to be called fake": {"aim": lambda: FAKE},
    "the discriminator's loss is not halved": {"HALF": 1.0},
    "L1 is taken against the input instead of the target": {"wanted": lambda x, y: x},
    "L2 is taken instead of L1": {"far": lambda d: ((d**2).mean(), 2 * d / d.size)},
    "L1 is summed over each picture instead of averaged": {
        "far": lambda d: (np.abs(d).sum() / len(d), np.sign(d) / len(d))
    },
    "the weight of L1 is left out": {"weighed": lambda weight, slope: slope},
    "the discriminator does not see the input": {"told": np.zeros_like},
    "the discriminator is not updated before the generator's loss is taken": {
        "learn": lambda optimizer: None
    },
    "the generator receives gradients from the discriminator's step: the fake batch is not "
    "detached": {"leak": lambda generator, slope: generator.backward(slope)},
    "dropout is switched off": {"dropped": lambda masks: [np.ones_like(m) for m in masks]},
    "dropout keeps its numbers as they are instead of twice as large": {
        "dropped": lambda masks: [m / 2 for m in masks]
    },
}


class Pix2pix:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.l1_weight = recipe.constants["l1_weight"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)

    def train_step(self, batch):
        images, targets = batch["images"], batch["targets"]
        fake = self.generator(images, *dropped([batch["mask1"], batch["mask2"], batch["mask3"]]))
        real_loss, d = entropy(self.discriminator(pair(images, targets)), REAL)
        self.discriminator.backward(HALF * d)
        fake_loss, d = entropy(self.discriminator(pair(images, fake)), FAKE)
        leak(self.generator, self.discriminator.backward(HALF * d)[:, images.shape[1] :])
        learn(self.d_optimizer)

        generator_loss, d = entropy(self.discriminator(pair(images, fake)), aim())
        l1, slope = far(fake - wanted(images, targets))
        d = self.discriminator.backward(d)[:, images.shape[1] :] + weighed(self.l1_weight, slope)
        self.generator.backward(d)
        self.discriminator.clear()
        self.g_optimizer.update()
        discriminator_loss = HALF * (real_loss + fake_loss)
        return {"discriminator": discriminator_loss, "generator": generator_loss, "l1": l1}

    def generate(self, images, *masks):
        return self.generator(images, *masks)


def pair(images, judged):
    """The input, and behind it the picture to be judged: N×2C×H×W."""
    return np.concatenate([told(images), judged], axis=1)
