"""Question 12 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np

REAL, FAKE = 1.0, 0.0  # of pictures
DRAWN, ENCODED = 1.0, 0.0  # of codes
SHOWN = 1.0, 1.0  # how much copies and fakes count in the discriminator's loss
HEARD = 1.0, 1.0  # and how much its word on either counts in the generator's


def encode(encoder, images):
    return encoder(images)


def make(generator, codes):
    return generator(codes)


def decoded(codes, noise):
    """What the copies are made from."""
    return codes


def own(codes, noise):
    """What the encoder has the code discriminator say something about."""
    return codes


def far(difference):
    """The distance, summed over a picture and averaged over the batch, and its gradient."""
    return np.abs(difference).sum() / len(difference), np.sign(difference) / len(difference)


def ratio(logits):
    """Mean of −log σ(logit) + log(1 − σ(logit)) = −logit, and its gradient."""
    return -logits.mean(), -np.ones_like(logits) / logits.size


def entropy(logits, label):
    """Mean of −label · log σ(logit) − (1 − label) · log(1 − σ(logit)), and its gradient."""
    loss = (np.logaddexp(0, logits) - label * logits).mean()
    return loss, (1 / (1 + np.exp(-logits)) - label) / logits.size


def leak(model, made):
    """What the discriminator's loss teaches the generator: nothing."""


def weighed(weight, slope):
    """What the distance counts for the generator and the encoder."""
    return weight * slope


def through(slope):
    """What of the distance goes on from the reconstructions to the encoder: all."""
    return slope


def taught_by_discriminator(model, made):
    _, d = entropy(model.discriminator(made), FAKE)
    model.generator.backward(model.discriminator.backward(d))


def turned(logits):
    loss, d = ratio(logits)
    return -loss, -d


def first_half(logits):
    """Question 05's loss of a generator: −log σ(logit) alone."""
    return entropy(logits, 1.0)


def second_half(logits):
    """The loss that question 05 warns of: log(1 − σ(logit)) alone."""
    loss, d = entropy(logits, 0.0)
    return -loss, -d


def squared(difference):
    return (difference**2).sum() / len(difference), 2 * difference / len(difference)


# What `knock check` knows by the first step, and what then stands in the place of a name above.
MISTAKES = {
    "real and fake are swapped in the discriminator's loss": {"REAL": 0.0, "FAKE": 1.0},
    "all pictures are labelled fake": {"REAL": 0.0},
    "all pictures are labelled real": {"FAKE": 1.0},
    "prior and posterior are swapped in the code discriminator's loss": {
        "DRAWN": 0.0,
        "ENCODED": 1.0,
    },
    "all codes are labelled encoded": {"DRAWN": 0.0},
    "all codes are labelled drawn": {"ENCODED": 1.0},
    "the discriminator is not shown the reconstructions": {"SHOWN": (0.0, 1.0)},
    "the discriminator is not shown the samples": {"SHOWN": (1.0, 0.0)},
    "the generator does not hear what the discriminator says of its reconstructions": {
        "HEARD": (0.0, 1.0)
    },
    "the generator does not hear what the discriminator says of its samples": {"HEARD": (1.0, 0.0)},
    "the sign of the density ratio is turned": {"ratio": turned},
    "only −log σ is left of the density ratio": {"ratio": first_half},
    "only log(1 − σ) is left of the density ratio": {"ratio": second_half},
    "L2 is taken instead of L1": {"far": squared},
    "the weight of L1 is left out": {"weighed": lambda weight, slope: slope},
    "the distance teaches the encoder nothing: the codes are detached": {"through": np.zeros_like},
    "the generator receives gradients from the discriminator's step: the fake batch is not "
    "detached": {"leak": taught_by_discriminator},
    "the sign of the density ratio is turned on the samples": {"HEARD": (1.0, -1.0)},
    "the sign of the density ratio is turned on the reconstructions": {"HEARD": (-1.0, 1.0)},
    "the reconstructions are made from the noise instead of the codes": {
        "decoded": lambda codes, noise: noise
    },
    "the encoder's ratio is taken of the noise instead of its codes": {
        "own": lambda codes, noise: noise
    },
    "the codes are made in evaluation mode": {"encode": framework.evaluate},
    "the training pictures are made in evaluation mode": {"make": framework.evaluate},
}


class AlphaGAN:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.generator = networks["generator"]
        self.discriminator = networks["discriminator"]
        self.code_discriminator = networks["code_discriminator"]
        self.l1_weight = recipe.constants["l1_weight"]
        settings = recipe.optimizers
        self.e_optimizer = framework.Adam(settings["e_optimizer"], self.encoder)
        self.g_optimizer = framework.Adam(settings["g_optimizer"], self.generator)
        self.d_optimizer = framework.Adam(settings["d_optimizer"], self.discriminator)
        self.c_optimizer = framework.Adam(settings["c_optimizer"], self.code_discriminator)

    def train_step(self, batch):
        images, noise = batch["images"], batch["noise"]
        codes = encode(self.encoder, images)

        # A layer goes back through its last call only, so the generator's two calls take turns.
        # What the distance says goes on to the encoder, what the discriminator says stops here.
        copies = make(self.generator, decoded(codes, noise))
        l1, slope = far(copies - images)
        d_codes = through(self.generator.backward(weighed(self.l1_weight, slope)))
        generator_loss = HEARD[0] * self.hear(copies)
        fakes = make(self.generator, noise)
        generator_loss += HEARD[1] * self.hear(fakes)

        encoder_loss, d = ratio(self.code_discriminator(own(codes, noise)))
        self.encoder.backward(d_codes + self.code_discriminator.backward(d))

        # Neither discriminator has anything to learn from the others' losses.
        self.discriminator.clear()
        self.code_discriminator.clear()
        discriminator_loss = judged(self.discriminator, images, REAL)
        discriminator_loss += SHOWN[0] * judged(self.discriminator, copies, FAKE)
        discriminator_loss += SHOWN[1] * judged(self.discriminator, fakes, FAKE)
        code_loss = judged(self.code_discriminator, noise, DRAWN)
        code_loss += judged(self.code_discriminator, codes, ENCODED)
        for optimizer in (self.e_optimizer, self.g_optimizer, self.d_optimizer, self.c_optimizer):
            optimizer.update()
        return {
            "encoder": encoder_loss,
            "generator": generator_loss,
            "discriminator": discriminator_loss,
            "code_discriminator": code_loss,
            "l1": l1,
        }

    def hear(self, made):
        """What the discriminator says of pictures; the generator learns from it."""
        loss, d = ratio(self.discriminator(made))
        self.generator.backward(self.discriminator.backward(d))
        leak(self, made)
        return loss

    def generate(self, noise):
        return framework.evaluate(self.generator, noise)

    def reconstruct(self, images):
        return self.generate(framework.evaluate(self.encoder, images))


def judged(network, given, label):
    """The cross-entropy of what a network says; the network learns from it."""
    loss, d = entropy(network(given), label)
    network.backward(d)
    return loss
