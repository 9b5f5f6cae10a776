"""Recipes: layered overrides, and every mistake refused with the key's name."""

import copy
import functools
import operator
import shutil
from pathlib import Path

from knock import paths, questions, recipe
from knock.check import judge
from knock.errors import UserError
from knock.recipe import kinds, layers, resolve
from knock.recipe.weights import initial_weights

import msgspec
import numpy as np
import pytest

AE = questions.find("ae").recipe_file


def changed(folder: Path, old: str, new: str) -> Path:
    """A copy of 01's recipe with one place changed."""
    text = AE.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path = folder / "recipe.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


TRAIN = "batch_size, steps, rounds, sample_every, save_every, shown"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 1000", "stepps = 1000", f"train: unknown key stepps; choose from: {TRAIN}"),
        ("steps = 1000", "steps = 0", "train.steps must be a whole number >= 1, not 0"),
        ("steps = 1000", 'steps = "many"', "train.steps must be a whole number, not 'many'"),
        ("steps = 1000", "", "train: steps is missing"),
        ("batch_size = 64", "batch_size = 6.5", "train.batch_size must be a whole number, not 6.5"),
        ("lr = 1e-3", "lr = 0.0", "optimizers.optimizer.lr must be a number > 0.0, not 0.0"),
        (
            "betas = [0.9, 0.999]",
            "betas = [0.9, 1.0]",
            "optimizers.optimizer.betas[1] must be a number < 1.0, not 1.0",
        ),
        (
            'algorithm = "adam"',
            'algorithm = "adamw"',
            "optimizers.optimizer.algorithm cannot be 'adamw'; choose from: adam, rmsprop, sgd",
        ),
        (
            "rotate = 10.0",
            "rotate = 200.0",
            "data.newts.augment.rotate must be a number <= 180.0, not 200.0",
        ),
        (
            "image = [3, 32, 32]",
            "image = [32, 32]",
            "data.cifar10.image must be a list of length 3, not [32, 32]",
        ),
        (
            "image = [3, 32",
            "image = [2, 32",
            "data.cifar10.image[0] cannot be 2; choose from: 1, 3",
        ),
        # Of cifar10, against the constant that it replaces.
        ("code = 64 ", 'code = "wide" ', "constants.code must be a text, not 128"),
        ("code = 64 ", "code = [64] ", "constants.code must be CONSTANT, not [64]"),
        (
            "constants = { code = 128 }",
            "constants = { kode = 128 }",
            "unknown key constants.kode; the constants are: code",
        ),
        (
            'networks = ["encoder", "decoder"]',
            'networks = ["encode"]',
            "optimizers.optimizer.networks names 'encode', unknown",
        ),
        (
            "[check]",
            "[check]\nloose = { encode = 1e-9 }",
            "check.loose names 'encode', which is no network and no method",
        ),
        ("[check]", "[check]\nloose = { encoder = 0.0 }", "check.loose.encoder must be"),
        ('networks = ["Encoder", "Decoder"]', "networks = []", "parts.networks must be a list of"),
        (
            'networks = ["encoder", "decoder"]',
            "networks = []",
            "optimizers.optimizer.networks must be a list of length >= 1, not []",
        ),
        ("[train]", "[tarin]", "unknown key tarin; choose from: number, name, title, class, paper"),
        ("number = 1\n", "", "number is missing"),
        ("[presets.quick]", "[presets.quick.train]\nstep = 3\n", "train: unknown key step; choose"),
    ],
)
def test_a_mistake_is_refused_by_its_key(tmp_path, old, new, said):
    path = changed(tmp_path, old, new)
    with pytest.raises(UserError) as caught:
        recipe.load(path, dataset="cifar10")
    said = said.replace("CONSTANT", "true or false or a whole number or a number or a text")
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


KINDS = ", ".join(kinds.BY_NAME)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ('{ layer = "flaten" }', f".layer cannot be 'flaten'; choose from: {KINDS}"),
        ("{ layer = 3 }", f".layer cannot be 3; choose from: {KINDS}"),
        ("{ }", f": layer is missing; choose from: {KINDS}"),
        ('"flatten"', " must be a table, not 'flatten'"),
        ('{ layer = "linear", name = "a" }', " (linear): out is missing"),
        ('{ layer = "linear", out = 3 }', " (linear): name is missing"),
        ('{ layer = "conv", name = "a", out = 3 }', " (conv): kernel is missing"),
        ('{ layer = "leaky_relu" }', " (leaky_relu): slope is missing"),
        ('{ layer = "concat" }', " (concat): of is missing"),
        (
            '{ layer = "linear", name = "a", out = 3, kernel = 3 }',
            " (linear): unknown key kernel; choose from: name, out, bias, spectral, "
            "min_side, max_side, when",
        ),
        (
            '{ layer = "conv", name = "a", out = 3, kernel = 3, out_pad = 0 }',
            " (conv): unknown key out_pad; choose from: name, out, kernel, stride, pad, bias, "
            "spectral, min_side, max_side, when",
        ),
        (
            '{ layer = "maxpool", kernel = 3, stride = 2 }',
            " (maxpool): unknown key stride; choose from: kernel, min_side, max_side, when",
        ),
        (
            '{ layer = "relu", slope = 0.2 }',
            " (relu): unknown key slope; choose from: min_side, max_side, when",
        ),
        (
            '{ layer = "layer_norm", name = "a", running = true }',
            " (layer_norm): unknown key running; choose from: name, min_side, max_side, when",
        ),
        ('{ layer = "linear", name = 3, out = 3 }', ".name must be a text, not 3"),
        (
            '{ layer = "linear", name = "a", out = 0.5 }',
            ".out must be a whole number or a text, not 0.5",
        ),
        ('{ layer = "maxpool", kernel = 0 }', ".kernel must be a whole number >= 1, not 0"),
        (
            '{ layer = "reshape", shape = [3, [4], 5] }',
            ".shape[1] must be a whole number or a text, not [4]",
        ),
        ('{ layer = "flatten", min_side = "8" }', ".min_side must be a whole number, not '8'"),
    ],
)
def test_a_layer_is_refused_by_its_place_and_its_key(tmp_path, layer, said):
    """Here in 01's decoder, after a network that has no fault."""
    path = changed(
        tmp_path, '{ layer = "reshape", shape = ["channels", "height", "width"] }', layer
    )
    with pytest.raises(UserError) as caught:
        recipe.load(path)
    assert str(caught.value) == f"{path}: networks.decoder.layers[1]{said}"


def test_a_broken_file_is_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("number = \n")
    with pytest.raises(UserError, match="not valid TOML"):
        recipe.load(path)
    with pytest.raises(UserError, match="cannot read the recipe"):
        recipe.load(tmp_path / "nothing.toml")


def test_unknown_presets_and_sets_name_the_choices():
    with pytest.raises(UserError, match="'qick'.*quick, full"):
        recipe.load(AE, preset="qick")
    with pytest.raises(UserError, match="'mnits'.*newts, cifar10, digits"):
        recipe.load(AE, dataset="mnits")


def test_later_layers_override_earlier_ones(tmp_path):
    path = changed(
        tmp_path,
        "[presets.quick] ",
        "[presets.quick.train]\nsteps = 7\nbatch_size = 8\n[presets.other] ",
    )
    assert recipe.load(path, preset="other").train.steps == 1000
    assert recipe.load(path).train.steps == 7
    said = recipe.load(path, overrides={"train": {"steps": 3}})
    assert (said.train.steps, said.train.batch_size) == (3, 8)


def test_a_data_set_brings_its_own_constants():
    assert recipe.load(AE, "newts").constants == {"code": 64}
    assert recipe.load(AE, "cifar10").constants == {"code": 128}
    chosen = recipe.load(AE, "cifar10", overrides={"constants": {"code": 3}})
    assert chosen.constants == {"code": 3}


def test_a_data_set_brings_its_own_learning_rate():
    lapgan = questions.find("lapgan").recipe_file
    digits, newts = (recipe.load(lapgan, name).optimizers for name in ("digits", "newts"))
    assert newts["d_optimizer2"].lr < digits["d_optimizer2"].lr
    assert newts["d_optimizer1"] == digits["d_optimizer1"]
    said = recipe.load(lapgan, "newts", overrides={"optimizers": {"d_optimizer2": {"lr": 0.5}}})
    assert said.optimizers["d_optimizer2"].lr == 0.5


def test_a_data_sets_optimizer_must_be_the_recipes(tmp_path):
    path = changed(tmp_path, "constants = { code = 128 }", "optimizers = { adam = { lr = 0.5 } }")
    with pytest.raises(UserError, match="optimizers"):
        recipe.load(path, "cifar10")


def test_a_whole_number_for_a_float_constant_becomes_a_float(tmp_path):
    """The same run, whichever way it is said."""
    path = changed(tmp_path, "[methods]", "weight = 0.5\n[methods]")
    said = recipe.load(path, overrides={"constants": {"weight": 2}})
    text = path.read_text(encoding="utf-8").replace("code = 128", "code = 128, weight = 2")
    path.write_text(text, encoding="utf-8")
    for found in (said, recipe.load(path, "cifar10")):
        assert (found.constants["weight"], type(found.constants["weight"])) == (2.0, float)
    with pytest.raises(UserError, match=r"constants\.code must be a whole number, not 2\.0"):
        recipe.load(path, overrides={"constants": {"code": 2.0}})


def with_mean(tmp_path: Path, more: str = "", known: str = "") -> Path:
    """01's recipe with a mean of the encoder's weights where `history` is above 0."""
    table = '[networks.mean]\nlike = "encoder"\nunless = { history = 0.0 }\n'
    path = changed(tmp_path, "[methods]", "history = 0.0\n[methods]")
    text = path.read_text(encoding="utf-8")
    text = text.replace("[optimizers.optimizer]", f"{table}{more}\n[optimizers.optimizer]")
    path.write_text(text.replace("[constants]", f"{known}\n[constants]"), encoding="utf-8")
    return path


def test_a_network_like_another_is_there_unless_it_is_switched_off(tmp_path):
    path = with_mean(tmp_path)
    assert "mean" not in recipe.load(path).networks
    found = recipe.load(path, overrides={"constants": {"history": 0.1}})
    mean, encoder = found.networks["mean"], found.networks["encoder"]
    assert (mean.layers, mean.input) == (encoder.layers, encoder.input)
    first = initial_weights(found)
    same = [k.removeprefix("mean.") for k in first if k.startswith("mean.")]
    assert same
    for key in same:
        np.testing.assert_array_equal(first[f"mean.{key}"], first[f"encoder.{key}"])


def test_a_network_like_another_begins_by_itself_in_a_check(tmp_path):
    path = with_mean(tmp_path)
    text = path.read_text(encoding="utf-8").replace(
        "[check]", "[check]\nalso = [{ history = 1.0 }]"
    )
    path.write_text(text, encoding="utf-8")
    small = recipe.load_check(path)
    assert "mean" not in small.networks and "mean" in small.also[0].networks
    first = initial_weights(small.also[0])
    assert any((first[key] != first[f"mean.{key[8:]}"]).any() for key in first if "encoder" in key)


@pytest.mark.parametrize(
    ("more", "known", "said"),
    [
        ("init = 'normal'", "", "networks.mean.init: a network like another one has its own"),
        ("[networks.other]\nlike = 'mean'", "", "networks.other.like names 'mean', no network of"),
        ("[networks.other]\nlike = 'nobody'", "", "networks.other.like names 'nobody', no"),
        ("[networks.other]\nlike = 3", "", "networks.other.like must be a text, not 3"),
        (
            "[networks.other]\nlike = 'encoder'\nunless = { h = 1 }",
            "",
            "networks.other.unless names 'h', no constant",
        ),
        (
            "[optimizers.b]\nalgorithm = 'sgd'\nlr = 0.1\nnetworks = ['mean']",
            "",
            "optimizers.b.networks names 'mean', which is like another",
        ),
        ("", "known = 'each'", "known must name a constant that is a whole number of at least 0"),
        ("", "known = 'history'", "and history is 0.0"),
    ],
)
def test_a_network_like_another_and_known_labels_are_checked(tmp_path, more, known, said):
    with pytest.raises(UserError, match=said):
        recipe.load(with_mean(tmp_path, more, known))


def test_an_override_is_checked_like_the_file():
    with pytest.raises(UserError, match=r"optimizers.*<= 1"):
        recipe.load(AE, overrides={"optimizers": {"optimizer": {"lr": 2.0}}})
    with pytest.raises(UserError, match=r"constants\.width"):
        recipe.load(AE, overrides={"constants": {"width": 2}})


CHOICES = '[choices]\nway = ["up", "down"]\n\n'


@pytest.mark.parametrize(
    ("way", "choices", "said"),
    [
        ("up", CHOICES, "constants.way cannot be 'sideways'; choose from: up, down"),
        ("round", CHOICES, "constants.way cannot be 'round'; choose from: up, down"),
        ("up", CHOICES.replace("way", "wya"), "choices names 'wya', which is no constant"),
    ],
)
def test_a_constant_that_is_a_word_has_its_choices(tmp_path, way, choices, said):
    path = changed(tmp_path, "[constants]", f'{choices}[constants]\nway = "{way}"')
    changes = {"constants": {"way": "sideways"}} if way == "up" else {}
    with pytest.raises(UserError, match=said):
        recipe.load(path, overrides=changes)
    if said.startswith("constants.way cannot be 'sideways'"):
        assert (
            recipe.load(path, overrides={"constants": {"way": "down"}}).constants["way"] == "down"
        )


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ("long = [1, 9]", "constants.long must be between 1 and 9, not 10"),
        ("lang = [1, 9]", "ranges names 'lang', no constant that is a number"),
    ],
)
def test_a_constant_that_is_a_number_may_have_a_range(tmp_path, ranges, said):
    path = changed(tmp_path, "[constants]", f"[ranges]\n{ranges}\n\n[constants]\nlong = 10")
    with pytest.raises(UserError, match=said):
        recipe.load(path)


def test_a_draw_is_there_when_the_constants_say_so(tmp_path):
    """And a method takes it only then."""
    draw = 'distribution = "normal"\nsampling = true\nwhen = { way = "up" }'
    text = f'[draws.z]\n{draw}\n\n{CHOICES}[constants]\nway = "down"'
    path = changed(tmp_path, "[constants]", text)
    written = path.read_text(encoding="utf-8").replace("reconstruct = [", 'reconstruct = ["z", ')
    path.write_text(written, encoding="utf-8")
    assert recipe.load(path).methods["reconstruct"] == ["images"]
    up = recipe.load(path, overrides={"constants": {"way": "up"}})
    assert up.methods["reconstruct"] == ["z", "images"]
    assert not up.draws["z"].in_training
    path.write_text(written.replace("when = { way", "when = { why"), encoding="utf-8")
    with pytest.raises(UserError, match=r"draws\.z\.when names 'why', no constant"):
        recipe.load(path)


def test_json_brings_back_an_equal_recipe():
    resolved = recipe.load(AE, "digits", seed=5, dtype="float64")
    assert recipe.from_json(recipe.to_json(resolved)) == resolved


def test_a_recipe_that_was_written_before_layers_had_types_reads_as_today_s():
    """As it is in old checkpoints: every key in the order of the one type of layer there was."""
    old = """{"input":["channels"],"layers":[
        {"layer":"conv","name":"a","out":"2 * z","kernel":4,"stride":2,"pad":1,"min_side":32,
         "max_side":64,"bias":false},
        {"layer":"tconv","name":"b","out":3,"kernel":5,"stride":2,"pad":2,"out_pad":1},
        {"layer":"batch_norm","name":"c","running":false,"min_side":32},{"layer":"keep","of":"d"},
        {"layer":"leaky_relu","slope":0.2},{"layer":"reshape","shape":["z",4,4]}
    ],"init":"normal","init_std":0.02}"""
    resolved = recipe.load(AE)
    text, network = recipe.to_json(resolved), msgspec.json.encode(resolved.networks["encoder"])
    assert text.count(network.decode()) == 1
    found = recipe.from_json(text.replace(network.decode(), old))
    layers = [
        kinds.Conv("a", "2 * z", 4, 2, 1, bias=False, min_side=32, max_side=64),
        kinds.TransposedConv("b", 3, 5, 2, 2, 1),
        kinds.BatchNorm("c", running=False, min_side=32),
        kinds.Keep("d"),
        kinds.LeakyReLU(0.2),
        kinds.Reshape(["z", 4, 4]),
    ]
    today = {**resolved.networks, "encoder": recipe.Network(["channels"], layers, "normal")}
    assert recipe.difference(found, msgspec.structs.replace(resolved, networks=today)) is None


def test_the_difference_names_the_key():
    a, b = recipe.load(AE), recipe.load(AE, overrides={"train": {"batch_size": 3}})
    assert recipe.difference(a, a) is None
    assert recipe.difference(a, b) == "train.batch_size was 64 and is now 3"


@pytest.mark.parametrize("question", questions.all_questions(), ids=lambda q: q.name)
def test_every_recipe_resolves_for_every_set_and_preset(question, tmp_path):
    tree = recipe.read(question.recipe_file)
    for dataset in tree["data"]:
        for preset in tree["presets"]:
            recipe.load(question.recipe_file, dataset, preset)
    recipe.load_check(question.recipe_file)
    copy = shutil.copytree(paths.QUESTIONS, tmp_path / "questions")  # and it may lie anywhere
    recipe.load(copy / question.folder.name / "recipe.toml")


def test_a_question_that_opens_another_shares_all_but_its_training():
    vae, look = (questions.find(name).recipe_file for name in ("vae", "vae_latent"))
    there, here = recipe.load(vae, "mnist"), recipe.load(look, "mnist")
    assert here.networks == there.networks
    assert here.constants == there.constants
    assert not here.optimizers
    assert list(here.methods) == ["show", "change", "change2"]


def test_what_is_opened_must_be_there(tmp_path):
    folder = tmp_path / "05_x"
    folder.mkdir()
    (folder / "recipe.toml").write_text('number = 5\nname = "x"\nopens = "nothing"\n')
    with pytest.raises(UserError, match="no question 'nothing' to open"):
        recipe.load(folder / "recipe.toml")


# Whatever stands in a recipe's file


class Gone:
    """In the place of a value that is left out."""


WRONG = (3, 0.5, "word", "", [[1]], {"x": 1}, True, Gone)


def places(tree, above=()):
    """Every key of a recipe's tree, as a way from its root."""
    inside = tree.items() if isinstance(tree, dict) else ()
    inside = enumerate(tree) if isinstance(tree, list) else inside
    for key, value in inside:
        yield (*above, key)
        yield from places(value, (*above, key))


def put(tree, place, value):
    """A copy of the tree with another value in one place."""
    made = copy.deepcopy(tree)
    *above, last = place
    within = functools.reduce(operator.getitem, above, made)
    if value is Gone:
        del within[last]
    else:
        within[last] = value
    return made


@pytest.mark.parametrize(("name", "every"), [("ae", 3), ("lapgan", 23)])
def test_no_value_anywhere_is_answered_with_a_traceback(monkeypatch, name, every):
    question = questions.find(name)
    path, tree, refused = question.recipe_file, recipe.head(question.recipe_file), 0
    ways = [(place, value) for place in places(tree) for value in WRONG]
    for place, value in ways[::every]:
        made = put(tree, place, value)
        monkeypatch.setattr(resolve, "_parsed", lambda _, made=made: made)
        for load in (recipe.load, recipe.load_check, recipe.parts):
            try:
                load(path)
            except UserError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error), (place, value)
    assert refused > len(ways[::every])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 1000", f"steps = {'9' * 4301}", r"too many digits \(at line 44\)"),
        ("steps = 1000", f"steps = {'[' * 2000}{']' * 2000}", r"too many brackets \(at line 44\)"),
        ("steps = 1000", f"steps = {'{a=' * 900}1{'}' * 900}", r"too many brackets \(at line 44\)"),
        ("steps = 1000", f"steps = {'[' * 99}{']' * 99}", r"train\.steps.* is nested too deeply"),
        ("steps = 1000", f"steps = 0x{'f' * 4000}", r"train\.steps is too large a number"),
        ('out = "code"', f'out = "{"(" * 2000}"', r"\(linear\)\.out: .* is not a size"),
        ('out = "code"', f'out = "1{"+1" * 2000}"', r"\(linear\)\.out: .* is not a size"),
        ('out = "code"', f'out = "{"*".join(["9" * 3000] * 2)}"', r"\(linear\)\.out: .* too large"),
        ('name = "ae"', 'name = "ae"\nopens = "ae"', "no question 'ae' to open"),
    ],
)
def test_text_that_python_cannot_take_is_refused(tmp_path, old, new, said):
    path = changed(tmp_path, old, new)
    with pytest.raises(UserError, match=said) as caught:
        recipe.load(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 400


def test_a_recipe_without_parts_is_refused(monkeypatch):
    tree = {**recipe.head(AE), "parts": {}}
    monkeypatch.setattr(resolve, "_parsed", lambda _: tree)
    with pytest.raises(UserError, match=r"recipe\.toml: parts must be a table of length >= 1"):
        recipe.parts(AE)


@pytest.mark.parametrize("name", ["", "../../x", "a b", "Ä"])
def test_a_question_has_a_name_that_can_be_typed(monkeypatch, name):
    tree = {**recipe.head(AE), "name": name}
    monkeypatch.setattr(resolve, "_parsed", lambda _: tree)
    with pytest.raises(UserError, match=r"recipe\.toml: name must be a-z"):
        questions.all_questions()


def test_a_recipe_without_data_is_refused(tmp_path):
    text = AE.read_text(encoding="utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(text[: text.index("[data.")] + text[text.index("[presets.") :], "utf-8")
    with pytest.raises(UserError, match="recipe.toml: data is missing"):
        recipe.load(path)


def test_a_size_that_the_user_chose_is_not_the_files_fault():
    made = recipe.load(AE, overrides={"constants": {"code": -3}})
    with pytest.raises(UserError) as caught:
        layers.networks(made)
    assert str(AE) not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["methods"].update(walk=["images"]),
        lambda tree: tree["methods"].update(reconstruct=["images", "labels"]),
        lambda tree: tree["networks"].update(third=tree["networks"]["encoder"]),
        lambda tree: tree.update(optimizers={"other": tree["optimizers"]["optimizer"]}),
    ],
)
def test_a_recipe_that_its_judge_does_not_fit_is_refused(monkeypatch, change):
    question = questions.find("ae")
    tree = recipe.head(question.recipe_file)
    change(tree)
    monkeypatch.setattr(resolve, "_parsed", lambda _: tree)
    with pytest.raises(UserError, match=r"recipe of question ae and its judge, .*reference\.py"):
        judge.Standard.of(question, "chainer", 0, ours=False)
