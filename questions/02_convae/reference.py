"""Question 02 in plain NumPy: slow, with the gradient by hand. `knock check` compares with it."""

from knock.check import plain as framework


class ConvAutoencoder:
    def __init__(self, recipe):
        networks = framework.networks(recipe)
        self.encoder = networks["encoder"]
        self.decoder = networks["decoder"]
        settings = recipe.optimizers["optimizer"]
        self.optimizer = framework.Adam(settings, self.encoder, self.decoder)

    def train_step(self, batch):
        images = batch["images"]
        difference = self.reconstruct(images) - images
        loss = (difference**2).mean()
        self.encoder.backward(self.decoder.backward(2 * difference / difference.size))
        self.optimizer.update()
        return {"loss": loss}

    def reconstruct(self, images):
        return self.decoder(self.encoder(images))
