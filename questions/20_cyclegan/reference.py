"""Question 20 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.frameworks import numpy as framework

import numpy as np


def called_real(values):
    """Least squares against label 1: the mean of (D − 1)², and its gradient."""
    return ((values - 1) ** 2).mean(), 2 * (values - 1) / values.size


def called_fake(values):
    """Least squares against label 0: the mean of D², and its gradient."""
    return (values**2).mean(), 2 * values / values.size


def distance(made, wanted):
    """The mean absolute difference, and its gradient."""
    difference = made - wanted
    return np.abs(difference).mean(), np.sign(difference) / difference.size


def exchange(pool, fresh, chances, places, share, step):
    """The pictures to judge: new ones, or former ones in their place. The pool keeps the new."""
    judged = fresh.copy()
    held = (step - 1) * len(fresh)  # so many came before
    for n, new in enumerate(fresh):
        if held + n < len(pool.pictures):
            pool.pictures[held + n] = new  # there is room: none goes
        elif chances[n] < share:
            judged[n] = pool.pictures[places[n]]
            pool.pictures[places[n]] = new
    return judged


class CycleGAN:
    def __init__(self, recipe):
        networks, pools = framework.networks(recipe), framework.pools(recipe)
        self.generator_y, self.generator_x = networks["generator_y"], networks["generator_x"]
        self.discriminator_x = networks["discriminator_x"]
        self.discriminator_y = networks["discriminator_y"]
        self.pool_x, self.pool_y = pools["pool_x"], pools["pool_y"]
        self.cycle_weight = recipe.constants["cycle_weight"]
        self.identity_weight = recipe.constants["identity_weight"]
        self.from_pool = recipe.constants["from_pool"]
        settings = recipe.optimizers
        self.d_optimizer = framework.Adam(
            settings["d_optimizer"], self.discriminator_x, self.discriminator_y
        )
        self.g_optimizer = framework.Adam(
            settings["g_optimizer"], self.generator_y, self.generator_x
        )

    def judged(self, discriminator, real, fake):
        """The loss of a discriminator, halved, whose gradient is added to its weights'."""
        real_loss, d = called_real(discriminator(real))
        discriminator.backward(d / 2)
        fake_loss, d = called_fake(discriminator(fake))
        discriminator.backward(d / 2)
        return (real_loss + fake_loss) / 2

    def there_and_back(self, x, fake, there, back, discriminator):
        """What a translation costs: to be called real, and to be a way back; the gradient of both.

        `fake` is there(x). A network remembers its last call alone, so `there` is called again.
        """
        adversarial, d = called_real(discriminator(fake))
        d = discriminator.backward(d)
        cycle, slope = distance(back(fake), x)
        d = d + back.backward(self.cycle_weight * slope)
        there(x)
        there.backward(d)
        return adversarial, cycle

    def left_alone(self, generator, own):
        """The cost of changing pictures of the kind that a generator makes."""
        identity, slope = distance(generator(own), own)
        generator.backward(self.identity_weight * slope)
        return identity

    def train_step(self, batch):
        x, y, step, share = batch["images"], batch["others"], batch["step"], self.from_pool
        fake_y, fake_x = self.generator_y(x), self.generator_x(y)

        # The discriminators' step, on old fakes and new ones. The generators learn nothing here.
        old_x = exchange(self.pool_x, fake_x, batch["chance_x"], batch["place_x"], share, step)
        old_y = exchange(self.pool_y, fake_y, batch["chance_y"], batch["place_y"], share, step)
        discriminator_x_loss = self.judged(self.discriminator_x, x, old_x)
        discriminator_y_loss = self.judged(self.discriminator_y, y, old_y)
        self.d_optimizer.update()

        # The generators': to be called real, to come back, to leave alone what is right.
        generator_y_loss, cycle_x = self.there_and_back(
            x, fake_y, self.generator_y, self.generator_x, self.discriminator_y
        )
        generator_x_loss, cycle_y = self.there_and_back(
            y, fake_x, self.generator_x, self.generator_y, self.discriminator_x
        )
        identity = self.left_alone(self.generator_y, y) + self.left_alone(self.generator_x, x)
        self.discriminator_x.clear()
        self.discriminator_y.clear()
        self.g_optimizer.update()
        return {
            "discriminator_x": discriminator_x_loss,
            "discriminator_y": discriminator_y_loss,
            "generator_x": generator_x_loss,
            "generator_y": generator_y_loss,
            "cycle": cycle_x + cycle_y,
            "identity": identity,
        }

    def generate(self, images):
        return self.generator_y(images)

    def generate_back(self, others):
        return self.generator_x(others)
