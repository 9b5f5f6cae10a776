"""A yardstick for question 06: the DCGAN that most people begin with, in as many CPU seconds.

    python benchmarks/peer.py [--dataset NAME] [--seconds S] [--seed N] [--made N] [--out FOLDER]

Its networks and its step are those of the best-known PyTorch script, written anew:
nearest-neighbour doubling and 3×3 convolutions instead of transposed ones, a narrow discriminator
with dropout, the generator's step first. The batches are the project's own. It runs in one thread.

Its pictures are measured as `knock score` measures those of a run, by the same examiner. FOLDER
gets `peer.png` with the first of them, and `peer.json`: data set, seed, steps, seconds, scores.
"""

import argparse
import json
import time
from pathlib import Path

from knock import data, files, questions
from knock import recipe as recipes
from knock.data import to_pixels
from knock.errors import UserError
from knock.frameworks import pytorch as framework
from knock.measure import examiner
from knock.measure.real import Real
from knock.measure.scores import Seen, take
from knock.training import pictures
from knock.training.measured import Scores

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

Z, BATCH, AT_ONCE = 100, 64, 100
LEAST = 100


class Doubled(nn.Module):
    """Each pixel becomes 2×2 of them; then a 3×3 convolution and batch normalisation."""

    def __init__(self, maps: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(maps, out, 3, padding=1)
        self.norm = nn.BatchNorm2d(out, 0.8)  # ε, as there: a momentum was meant

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        h = F.interpolate(h, scale_factor=2, mode="nearest")
        return F.leaky_relu(self.norm(self.conv(h)), 0.2)


class Generator(nn.Module):
    """Noise → pictures: 128 maps of a quarter of the side, then 128, then 64."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.small = (128, height // 4, width // 4)
        self.fc = nn.Linear(Z, 128 * (height // 4) * (width // 4))
        self.norm = nn.BatchNorm2d(128)
        self.up1 = Doubled(128, 128)
        self.up2 = Doubled(128, 64)
        self.pixels = nn.Conv2d(64, channels, 3, padding=1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        h = self.norm(self.fc(noise).unflatten(1, self.small))
        return torch.tanh(self.pixels(self.up2(self.up1(h))))


class Discriminator(nn.Module):
    """Pictures → logits: four halvings by 3×3 convolutions, to 16, 32, 64 and 128 maps."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for maps, out in ((channels, 16), (16, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(maps, out, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
            if out > 16:
                layers.append(nn.BatchNorm2d(out, 0.8))
        self.down = nn.Sequential(*layers, nn.Flatten())
        self.real = nn.Linear(128 * -(-height // 16) * -(-width // 16), 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.real(self.down(images))


def first_weights(network: nn.Module) -> None:
    """Convolutions around 0, normalisations' factors around 1; linear layers stay PyTorch's."""
    for one in network.modules():
        if isinstance(one, nn.Conv2d):
            nn.init.normal_(one.weight, 0.0, 0.02)
        if isinstance(one, nn.BatchNorm2d):
            nn.init.normal_(one.weight, 1.0, 0.02)
            nn.init.zeros_(one.bias)


class Peer:
    """Both networks with their optimisers."""

    def __init__(self, shape: tuple[int, int, int], seed: int) -> None:
        torch.manual_seed(seed)
        self.generator, self.discriminator = Generator(*shape), Discriminator(*shape)
        for network in (self.generator, self.discriminator):
            first_weights(network)
        settings = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), **settings)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), **settings)

    def train_step(self, real: torch.Tensor) -> tuple[float, float]:
        """The generator's step, then the discriminator's; the two losses."""
        fake = self.generator(torch.randn(len(real), Z))
        g_loss = F.softplus(-self.discriminator(fake)).mean()
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        real_loss = F.softplus(-self.discriminator(real)).mean()
        fake_loss = F.softplus(self.discriminator(fake.detach())).mean()
        d_loss = (real_loss + fake_loss) / 2
        self.d_optimizer.zero_grad()
        d_loss.backward()
        self.d_optimizer.step()
        return g_loss.item(), d_loss.item()

    @torch.no_grad()
    def make(self, count: int, seed: int = 0) -> np.ndarray:
        """`count` pictures in evaluation mode, uint8 N×H×W×C."""
        noise = torch.randn(count, Z, generator=torch.Generator().manual_seed(seed))
        self.generator.eval()
        parts = [self.generator(one).numpy() for one in noise.split(AT_ONCE)]
        self.generator.train()
        return to_pixels(np.concatenate(parts))


def train(dataset: str, seconds: float, seed: int) -> tuple[Peer, int, float]:
    """Take steps until so many CPU seconds are spent; the peer, its steps, the seconds.

    Batches are included, reading the data set is not. Raises UserError where it is not there.
    """
    recipe = recipes.load(questions.find("dcgan").recipe_file, dataset, seed=seed)
    sizes = msgspec.structs.replace(recipe.train, batch_size=BATCH)
    recipe = msgspec.structs.replace(recipe, train=sizes, draws={})
    source = data.Batches(data.load(dataset, recipe.read_shape), recipe)
    peer, steps, began = Peer(recipe.image_shape, seed), 0, time.process_time()
    while time.process_time() - began < seconds:
        peer.train_step(torch.from_numpy(source.batch(steps)["images"]))
        steps += 1
    return peer, steps, time.process_time() - began


def measured(dataset: str, made: np.ndarray) -> Scores:
    """What `knock score` says of such pictures. Raises UserError without the data set."""
    recipe = recipes.load(questions.find("dcgan").recipe_file, dataset)
    train, test = (data.load(dataset, recipe.read_shape, split) for split in ("train", "test"))
    asked = examiner.get(Real(dataset, train, test))
    features = asked.features(made)
    seen = Seen(made, features, asked.logits(features), None)
    return take(asked.metrics, seen, asked.test)


def main() -> None:
    """Train, make pictures, write them down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sets = list(recipes.read(questions.find("dcgan").recipe_file)["data"])
    parser.add_argument("--dataset", choices=sets, default="mnist")
    parser.add_argument("--seconds", type=float, default=100.0, help="of CPU time (100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--made", type=int, default=2000, help="pictures to make (2000)")
    parser.add_argument("--out", type=Path, default=Path("runs/peer"))
    said = parser.parse_args()
    if said.made < LEAST:
        parser.error(f"--made must be at least {LEAST}: scores of fewer pictures say little")
    framework.setup("cpu", "float32", 1)
    try:
        files.make_folder(said.out)
        peer, steps, spent = train(said.dataset, said.seconds, said.seed)
    except UserError as error:
        parser.error(str(error))
    made = peer.make(said.made)
    scores = measured(said.dataset, made)
    shown = pictures.enlargement(made.shape[1])
    pictures.write_rows(said.out / "peer.png", {"sample": made[:40]}, shown)
    told = {"dataset": said.dataset, "seed": said.seed, "steps": steps, "seconds": round(spent, 1)}
    told["scores"] = msgspec.to_builtins(scores)
    (said.out / "peer.json").write_text(json.dumps(told) + "\n", encoding="utf-8")
    print(
        f"{said.out}: {steps} steps of {BATCH} in {spent:.0f} CPU seconds: Fréchet distance "
        f"{scores.frechet:.2f}, inception score {scores.inception:.2f}, kinds {scores.kinds}"
    )


if __name__ == "__main__":
    main()
