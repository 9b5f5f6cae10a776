"""Runs the scripts of one framework, in a process of its own: see test_standalone.py.

First, with this package: the first losses of our answers, at tiny sizes. Then, where the package
can no longer be imported: the same losses of the scripts, and three steps of each.
"""

import contextlib
import importlib.abc
import importlib.util
import io
import json
import sys
from pathlib import Path

SIZE = {"channels": 3, "height": 16, "width": 32}
BATCH = 2
TINY = ("z", "code", "hidden", "g_width", "d_width", "c_width", "e_width", "g_hidden", "d_hidden")


WRONG = (["--data=nowhere"], ["--data=photos", "--out=photos"], ["--steps=many"])


class NoKnock(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] == "knock":
            raise ImportError(f"{fullname} is not here")


def main(framework: str, folder: Path) -> None:
    sys.path[0] = str(Path(__file__).parents[1])  # this clone's package
    expected = {path: answer(framework, path.stem) for path in sorted(folder.glob("*.py"))}
    leave_knock(framework)
    found = {}
    for path, one in expected.items():
        module = load(path)
        found[path.stem] = {"answer": one["losses"], "script": first_losses(framework, module, one)}
        found[path.stem] |= {"keys": sorted(one["weights"]), "trained": train(module, one, folder)}
        found[path.stem]["refused"] = [refused(module, words, folder) for words in WRONG]
    print(json.dumps(found))


def answer(framework: str, stem: str) -> dict:
    """The first losses of an answer, and all that they depend on, as the framework has it."""
    from knock import frameworks, recipe
    from knock.data.batches import random_draws
    from knock.frameworks.binding import as_is, to_channels_last
    from knock.questions import find
    from knock.recipe import kinds, layers
    from knock.recipe.weights import initial_weights
    from knock.scripts import load as script
    from knock.standalone.slots import Facts

    import numpy as np

    question = find(stem.removesuffix(f"_{framework}"))
    usual = Facts.of(question, channels_last=False).recipe
    tiny = {name: 4 + i for i, name in enumerate(TINY) if name in usual.constants}
    tiny |= {"classes": 2} if question.name in ("cgan", "improved_gan", "flow_matching") else {}
    tiny |= {"references": 3, "history": 0.1} if "references" in usual.constants else {}
    tiny |= {"sample_steps": 2} if "sample_steps" in usual.constants else {}
    small = {
        "image": tuple(SIZE.values()),
        "constants": tiny,
        "train": {"batch_size": BATCH, "rounds": min(2, usual.train.rounds)},
    }
    ours = recipe.load(question.recipe_file, usual.dataset, "quick", small, dtype="float64")
    adapter = frameworks.load(framework)
    adapter.setup("cpu", "float64", 1)
    path = question.answer(framework)
    model = script.model_class(script.load(path), ours.class_name, path)(ours)
    adapter.build(model, ours)
    first = initial_weights(ours)
    adapter.write(model, ours, dict(first))
    rng, count = np.random.default_rng(1), ours.train.pictures
    kinds_of = ("images", "targets", "others")
    batch = {name: rng.uniform(-1, 1, (count, *ours.image_shape)) for name in kinds_of}
    batch |= {"labels": np.arange(count) % 2, "epoch": np.array(0), **random_draws(ours, 0)}
    batch |= {"step": np.array(1), "known_labels": batch["labels"][::-1].copy()}
    batch["known_images"] = batch["images"][:, :, ::-1].copy()
    with adapter.eagerly():
        losses = model.train_step(adapter.to_device(batch))
    native = to_channels_last if adapter.CHANNELS_LAST else as_is
    placed = layers.networks(ours)
    return {
        "class": ours.class_name,
        "settings": {**SIZE, **tiny, "batch_size": BATCH}
        | ({"rounds": ours.train.rounds} if ours.train.rounds > 1 else {}),
        "losses": {name: float(adapter.to_numpy(loss)) for name, loss in losses.items()},
        "weights": {
            f"{net.name}.{p.name}": native(first[f"{net.name}.{p.name}"], p)
            for net in placed.values()
            for p in net.parameters
        },
        "inputs": {
            net.name: [
                net.input,
                *(p.input for p in net.layers if isinstance(p.layer, kinds.Dropout)),
                *[net.input for p in net.layers[1:2] if isinstance(p.layer, kinds.VirtualNorm)],
                *net.beside.values(),
            ]
            for net in placed.values()
        },
        "optimizers": {name: one.networks for name, one in ours.optimizers.items()},
        "batch": {
            name: array.transpose(0, 2, 3, 1)
            if adapter.CHANNELS_LAST and array.ndim == 4
            else array
            for name, array in batch.items()
        },
    }


def leave_knock(framework: str) -> None:
    """From here on this package cannot be imported, and Chainer is as it comes."""
    sys.meta_path[:] = [one for one in sys.meta_path if "knock" not in type(one).__module__]
    sys.meta_path.insert(0, NoKnock())
    for name in [*sys.modules]:
        if name.split(".")[0] in ("knock", "chainer", "chainerx"):
            del sys.modules[name]
    if framework in ("tensorflow", "keras"):
        sys.modules["tensorflow"].config.run_functions_eagerly(True)  # a graph takes longer


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def first_losses(framework: str, module, one: dict) -> dict:
    import numpy as np

    with_floats(framework, module, "float64")
    model = getattr(module, one["class"])(module.Settings(**one["settings"]))
    if framework == "keras":
        for name, shapes in one["inputs"].items():
            last = [(*one[1:], one[0]) if len(one) == 3 else one for one in shapes]
            getattr(model, name)(*(np.ones((1, *shape)) for shape in last))
        for name, networks in one["optimizers"].items():
            trained = [getattr(model, network).trainable_variables for network in networks]
            getattr(model, name).build(sum(trained, []))
    found = module.weights(model)
    for name, array in one["weights"].items():
        if framework in ("tensorflow", "keras"):
            found[name].assign(array)
        else:
            found[name][...] = array if framework == "chainer" else module.torch.tensor(array)
    tensor = {
        "pytorch": lambda array: module.torch.tensor(array),
        "chainer": lambda array: array,
    }.get(framework, lambda array: module.tf.constant(array))
    losses = model.train_step({name: tensor(array) for name, array in one["batch"].items()})
    return {name: float(loss) for name, loss in losses.items()}


def with_floats(framework: str, module, kind: str) -> None:
    import numpy as np

    if framework == "pytorch":
        module.torch.set_default_dtype(getattr(module.torch, kind))
    elif framework == "keras":
        module.keras.config.set_floatx(kind)
        module.keras.config.set_dtype_policy(kind)
    elif framework == "tensorflow":
        module._float_type = getattr(module.tf, kind)
    else:
        module.chainer.global_config.dtype = np.dtype(kind)


def train(module, one: dict, folder: Path) -> dict:
    """Three steps of a script, on ten pictures or pairs."""
    from safetensors.numpy import load_file

    with_floats(module.__name__.rsplit("_", 1)[1], module, "float32")
    out = folder / "runs" / module.__name__
    data = folder / ("pairs" if "pix2pix" in module.__name__ else "photos")
    words = {"data": data, "out": out, **one["settings"], "steps": 3, "sample_every": 2}
    sys.argv = [module.__name__]
    sys.argv += [f"--{name.replace('_', '-')}={value}" for name, value in words.items()]
    module.main()
    made = load_file(out / "checkpoint.safetensors")
    return {
        "files": sorted(path.name for path in out.iterdir()),
        "keys": sorted(made),
        "types": sorted({str(array.dtype) for array in made.values()}),
        "shapes_fit": all(made[key].shape == array.shape for key, array in one["weights"].items()),
    }


def refused(module, words: list[str], folder: Path) -> list:
    """The exit code of a script, and what it prints on standard error."""
    sys.argv = [module.__name__, *words]
    if "pix2pix" in module.__name__:
        sys.argv = [word.replace("photos", "pairs") for word in sys.argv]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.chdir(folder):
            module.main()
    except SystemExit as left:
        return [left.code, said.getvalue()]
    return [0, said.getvalue()]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
