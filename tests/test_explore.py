"""`knock explore vae`: the page needs no other file, and in a real browser it draws what we do."""

import base64
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

from knock import cli, data, questions, recipe
from knock.data import to_pixels
from knock.explore import latent
from knock.frameworks import numpy as plain
from knock.recipe import kinds
from knock.recipe.weights import initial_weights
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint
from tests.browser import needs_chromium
from tests.helpers import run

import msgspec
import numpy as np
import pytest

# ---- Checkpoints ---------------------------------------------------------------------------------


def made(z, image=(1, 12, 10), question="vae", **changes):
    """A checkpoint with first weights, enlarged so that pictures have black and white."""
    overrides = {"constants": {"z": z, "hidden": 16}, "image": image} if question == "vae" else {}
    resolved = recipe.load(questions.find(question).recipe_file, "digits", overrides=overrides)
    resolved = msgspec.structs.replace(resolved, **changes)
    state = {k: (5 * v).astype("f4") for k, v in initial_weights(resolved).items()}
    return Checkpoint(resolved, 7, state, "keras", {})


def saved(folder, *words, **more):
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(folder / checkpoint.FILE_NAME, made(*words, **more))
    return folder


def network(found, name):
    built = plain.networks(found.recipe)[name]
    for module in built.modules:
        for kind in module.values:
            weight = found.state[f"{name}.{module.name}.{kind}"]
            module.values[kind] = weight.astype("f8")
    return built


def pixels(found, z):
    """What the decoder draws at z: uint8 H×W×C."""
    logits = network(found, "decoder")(np.array([z], "f8"))
    return to_pixels(2 / (1 + np.exp(-logits)) - 1)[0]


def explore(*words):
    """The command, in this process; its exit code."""
    with pytest.raises(SystemExit) as left:
        cli.main(["explore", *map(str, words)])
    return left.value.code


def content_of(path):
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text(path))
    return json.loads(found[1])


def text(path):
    return path.read_text(encoding="utf-8")


def array(words, dtype="<f4"):
    return np.frombuffer(base64.b64decode(words), dtype)


# ---- Without a browser ---------------------------------------------------------------------------


class Resources(HTMLParser):
    """Everything that a page's tags would load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [v for k, v in attributes if k in ("src", "href", "srcset", "data", "action")]


@pytest.mark.parametrize("z", [1, 2, 3, 40])
def test_the_page_is_one_file_that_loads_nothing(z, tmp_path, capsys):
    folder = saved(tmp_path / "run", z)
    assert explore("vae", folder) == 0
    path = folder / "explore.html"
    assert capsys.readouterr().out.startswith(f"{path}: ")
    resources = Resources()
    resources.feed(text(path))
    assert resources.found == ["data:,"]  # the icon: none
    assert not re.findall(r"https?:|url\(|@import|\bfetch\(|\bimport\(|XMLHttp", text(path))
    assert "default-src 'none'" in text(path)
    assert path.stat().st_size < 2_000_000
    assert {p.name for p in folder.iterdir()} == {"checkpoint.safetensors", "explore.html"}
    assert content_of(path)["z"] == z


def test_a_page_of_the_real_size_is_a_few_megabytes():
    """784 pixels, twenty dimensions and ten thousand pictures, which do not compress."""
    found = made(20, (1, 28, 28))
    found = Checkpoint(found.recipe, 1, initial_weights(found.recipe), "keras", {})
    dice = np.random.default_rng(0)
    pictures = data.ImageSet(
        images=dice.integers(0, 256, (10_000, 28, 28, 1), np.uint8),
        labels=dice.integers(0, 10, 10_000),
        classes=tuple("0123456789"),
        masks=None,
        name="mnist",
        split="test",
    )
    assert len(latent.make(found, pictures)) < 5_000_000


def test_the_weights_inside_are_the_checkpoints(tmp_path):
    folder = saved(tmp_path, 3)
    explore("vae", folder)
    state = checkpoint.load(folder).state
    content = content_of(folder / "explore.html")
    fc, relu, out, sigmoid = content["decoder"]["layers"]
    assert (relu, sigmoid) == ({"layer": "relu"}, {"layer": "sigmoid"})
    for layer, name in ((fc, "fc"), (out, "pixels")):
        weight = array(layer["weight"]).reshape(layer["out"], layer["in"])
        assert np.array_equal(weight, state[f"decoder.{name}.weight"])
        assert np.array_equal(array(layer["bias"]), state[f"decoder.{name}.bias"])


def test_the_dots_are_the_encoders_means_with_their_classes(tmp_path):
    folder = saved(tmp_path, 3)
    explore("vae", folder)
    found = checkpoint.load(folder)
    content = content_of(folder / "explore.html")
    test = data.load("digits", found.recipe.image_shape, "test")
    expected = network(found, "encoder")(data.to_unit(test.images, "float64"))[:, :3]
    means = array(content["means"]).reshape(-1, 3)
    assert np.allclose(means, expected, atol=1e-5)
    assert np.array_equal(array(content["labels"], "<u2"), test.labels)
    assert content["reach"] >= np.abs(means).max()
    assert set(content["axes"]) == set(np.argsort(means.std(0))[1:].tolist())  # the widest two


def test_the_same_checkpoint_makes_the_same_bytes(tmp_path):
    folder = saved(tmp_path, 2)
    explore("vae", folder, "--out", tmp_path / "a.html")
    explore("vae", folder, "--out", tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_float64_checkpoint_works_too(tmp_path):
    found = made(2, dtype="float64")
    state = initial_weights(found.recipe)
    checkpoint.save(tmp_path / "c.safetensors", Checkpoint(found.recipe, 7, state, "chainer", {}))
    assert explore("3", tmp_path / "c.safetensors") == 0
    assert content_of(tmp_path / "explore.html")["framework"] == "Chainer"


def test_no_framework_is_needed(tmp_path):
    folder = saved(tmp_path, 2)
    program = (
        "import sys\n"
        "from knock.cli import main\n"
        f"try: main(['explore', 'vae', {str(folder)!r}])\n"
        "except SystemExit as left: print('LEFT', left.code)\n"
        "print('IMPORTED', sorted({'torch', 'tensorflow', 'keras', 'chainer'} & set(sys.modules)))"
    )
    done = run("-c", program, cwd=tmp_path)
    assert "LEFT 0\nIMPORTED []" in done.stdout, done.stdout + done.stderr


def test_without_a_run_the_newest_is_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for age, (name, question) in enumerate(
        [("vae_pytorch", "vae"), ("vae_keras-2", "vae"), ("vae_keras", "vae"), ("ae_keras", "ae")]
    ):
        folder = saved(tmp_path / "runs" / name, 2, question=question)
        (folder / "run.json").write_text(
            json.dumps({"question": question, "history": [], "losses": {}, "data": None})
        )
        os.utime(folder / checkpoint.FILE_NAME, (1e9 - age * (name != "ae_keras"),) * 2)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    saved(tmp_path / "runs" / "broken", 2)
    assert explore("vae") == 0
    assert capsys.readouterr().out.startswith(os.path.join("runs", "vae_pytorch", "explore.html"))


def test_a_name_that_is_html_is_text(tmp_path):
    found = made(2)
    test = data.load("digits", found.recipe.image_shape, "test")
    evil = "</script><script>alert(1)</script>"
    pictures = data.ImageSet(test.images, test.labels, (evil,) * 10, None, "digits", "test")
    assert evil not in latent.make(found, pictures)


# How eyes without one kind of cone see linear red, green and blue (Machado, Oliveira & Fernandes
# 2009, severity 1), and the conversion from there to OKLab (Ottosson 2020).
EYES = {
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def oklab(colours, eyes):
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(EYES[eyes]), 0, 1)
    return np.cbrt(seen @ np.transpose(TO_CONES)) @ np.transpose(TO_OKLAB)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_classes_colours_differ_for_all_eyes(scheme, eyes):
    lists = re.findall(r"--classes: ([^;]+);", text(Path(latent.__file__).with_name("latent.css")))
    colours = lists[scheme == "dark"].split()
    assert len(colours) == 10
    rgb = np.array([list(bytes.fromhex(colour[1:])) for colour in colours]) / 255
    places = oklab(rgb, eyes)
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    assert apart[~np.eye(10, dtype=bool)].min() > 0.085


def with_layer(z, layer):
    """A checkpoint whose decoder has another layer before its last."""
    found = made(z)
    networks = dict(found.recipe.networks)
    old = networks["decoder"]
    changed = [*old.layers[:1], layer, *old.layers[2:]]
    networks["decoder"] = msgspec.structs.replace(old, layers=changed)
    return Checkpoint(
        msgspec.structs.replace(found.recipe, networks=networks), 7, found.state, "keras", {}
    )


def test_bad_input_is_one_line_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "vae", 2)
    saved(tmp_path / "ae", 2, question="ae")
    whole = (tmp_path / "vae" / checkpoint.FILE_NAME).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-9])
    (tmp_path / "folder.html").mkdir()
    odd = kinds.Minibatch(name="near", kernels=16, dims=2)
    checkpoint.save(tmp_path / "odd.safetensors", with_layer(2, odd))
    less = made(2)
    del less.state["encoder.fc.weight"]
    checkpoint.save(tmp_path / "less.safetensors", less)
    nan = made(2)
    nan.state["encoder.fc.weight"][:] = np.nan
    checkpoint.save(tmp_path / "nan.safetensors", nan)
    before = sorted(tmp_path.rglob("*"))
    for words, said in {
        ("vae",): "no run of vae in runs/: train one first",
        ("cats",): "no question 'cats'",
        ("./vae/nothing",): "no run './vae/nothing'; name a run's folder",
        ("./ae",): "01 ae makes no pictures from noise",
        ("cats", "vae"): "no question 'cats'",
        ("ae",): "01 ae makes no pictures from noise; knock explore has a page",
        ("vae_latent",): "04 vae_latent looks into runs of vae; use knock explore vae",
        ("lapgan",): "made step by step; use knock sample lapgan --steps-between 10",
        ("vae", "nowhere"): "cannot read the checkpoint nowhere",
        ("vae", "ae"): "ae is a checkpoint of question ae, not of vae",
        ("vae", "cut.safetensors"): "cut.safetensors is no whole checkpoint",
        (
            "vae",
            "odd.safetensors",
        ): "decoder has a layer 'minibatch'; the page can evaluate: linear",
        ("vae", "less.safetensors"): "has no encoder.fc.weight of shape (16, 120)",
        ("vae", "nan.safetensors"): "means are NaN or infinite",
        ("vae", "vae", "--data", "nowhere"): "nowhere",
        ("vae", "vae", "--out", "no/such.html"): "cannot write no/such.html: No such file",
        ("vae", "vae", "--out", "folder.html"): "cannot write folder.html",
        ("vae", "vae", "--out", "vae/checkpoint.safetensors"): "--out must name an HTML file",
        ("vae", "vae", "--fast"): "unknown option '--fast'",
    }.items():
        assert explore(*words) == 2
        caught = capsys.readouterr()
        (line,) = caught.err.splitlines()
        assert line.startswith("knock: ") and said in line, line
        assert not caught.out
        assert sorted(tmp_path.rglob("*")) == before


# ---- In a browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """(checkpoint, its page) by name."""
    home = tmp_path_factory.mktemp("pages")
    kinds = {
        "line": {"z": 1},
        "plane": {"z": 2},
        "space": {"z": 3},
        "colour": {"z": 2, "image": (3, 8, 11)},
    }
    found = {}
    for name, kind in kinds.items():
        folder = saved(home / name, **kind)
        explore(folder)  # the question is in it
        found[name] = checkpoint.load(folder), folder / "explore.html"
    return found


def assert_draws(browser, found, z):
    """The page's picture is the decoder's at z, to one grey level."""
    shown, expected = browser.picture(), pixels(found, z)
    assert shown.shape[:2] == expected.shape[:2]
    assert np.ptp(expected) > 30  # the picture is not empty
    assert (shown[..., 3] == 255).all()
    assert np.abs(shown[..., :3].astype(int) - expected).max() <= 1


@needs_chromium
@pytest.mark.parametrize("name", ["line", "plane", "space", "colour"])
def test_the_page_draws_what_the_decoder_draws(name, pages, browser):
    found, path = pages[name]
    browser.open(path)
    size = found.recipe.constants["z"]
    dice = np.random.default_rng(1)
    seen = []
    for z in [np.ones(size), -np.ones(size), *np.round(dice.uniform(-3, 3, (6, size)), 2)]:
        browser.set(z)
        assert browser.numbers() == pytest.approx(z)
        assert_draws(browser, found, z)
        seen.append(browser.picture().tobytes())
    assert len(set(seen)) == len(seen)
    asked = [
        e["params"]["request"]["url"] for e in browser.events if "requestWillBeSent" in e["method"]
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


@needs_chromium
@pytest.mark.parametrize("density", [1, 2])
def test_a_mouse_drags_the_point_and_the_picture_follows_at_once(density, pages, browser):
    found, path = pages["plane"]
    browser.open(path, density=density)
    x, y = browser.middle("#handle")
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    last = browser.numbers()
    assert last == [0, 0]
    for _ in range(4):
        x, y = x + 40, y - 25
        browser.mouse("mouseMoved", x, y, button="left", buttons=1)
        now = browser.numbers()
        assert now[0] > last[0] and now[1] > last[1]
        exact = browser.run("[...z]")
        assert_draws(browser, found, exact)
        assert browser.middle("#handle") == pytest.approx((x, y), abs=0.6)
        last = now
    browser.mouse("mouseReleased", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x - 90, y)
    assert browser.numbers() == last  # let go
    left, top, *_ = browser.box("#plane")
    browser.mouse("mousePressed", left + 2, top + 2, button="left", clickCount=1)
    browser.mouse("mouseReleased", left + 2, top + 2, button="left", clickCount=1)
    reach = content_of(path)["reach"]
    assert browser.numbers() == [-reach, reach]  # no farther than the edge
    browser.run("document.getElementById('reset').click()")
    assert browser.numbers() == [0, 0]
    assert browser.run("document.getElementById('scatter').width") == round(
        density * browser.box("#scatter")[2]
    )


@needs_chromium
def test_keys_move_the_point(pages, browser):
    found, path = pages["plane"]
    browser.open(path)
    browser.run("document.getElementById('plane').focus()")
    step = browser.run("small")
    browser.key("ArrowRight")
    browser.key("ArrowUp")
    browser.key("ArrowUp")
    assert browser.run("[...z]") == pytest.approx([step, 2 * step])
    browser.key("ArrowLeft", shift=True)
    browser.key("ArrowDown", shift=True)
    assert browser.run("[...z]") == pytest.approx([-9 * step, -8 * step])
    assert_draws(browser, found, browser.run("[...z]"))
    assert browser.run("scrollY") == 0
    browser.key("Home")
    assert browser.numbers() == [0, 0]


@needs_chromium
def test_a_finger_drags_the_point_and_not_the_page(pages, browser):
    found, path = pages["plane"]
    browser.open(path, 390, 844, phone=True, density=3)
    x, y = browser.middle("#plane")
    browser.finger("touchStart", (x, y))
    for _ in range(6):
        y -= 20
        browser.finger("touchMove", (x + 15, y))
    assert browser.numbers()[1] > 1
    assert_draws(browser, found, browser.run("[...z]"))
    browser.finger("touchMove", (x + 15, y), (x - 90, y + 60))  # a second finger
    before = browser.numbers()
    browser.finger("touchMove", (x + 15, y), (x - 60, y + 90))
    assert browser.numbers() == before
    browser.finger("touchEnd")
    assert browser.run("scrollY") == 0


@needs_chromium
def test_each_dimension_has_a_slider_and_two_are_chosen_for_the_plane(pages, browser):
    found, path = pages["space"]
    browser.open(path)
    labels = browser.run("[...document.querySelectorAll('#sliders label')].map(l => l.innerText)")
    assert labels == ["z1", "z2", "z3"]
    browser.set([0, 0, 0])
    browser.run("document.getElementById('z2').focus()")
    step = browser.run("small")
    browser.key("ArrowRight")
    browser.key("ArrowUp", shift=True)
    assert browser.run("[...z]") == pytest.approx([0, 0, 11 * step])
    assert_draws(browser, found, browser.run("[...z]"))

    browser.run("document.getElementById('z1').scrollIntoView({block: 'center'})")
    left, top, width, height = browser.box("#z1")
    browser.mouse("mousePressed", left + width / 2, top + height / 2, button="left", clickCount=1)
    browser.mouse("mouseMoved", left + width * 0.8, top + height / 2, button="left", buttons=1)
    browser.mouse("mouseReleased", left + width * 0.8, top + height / 2, button="left")
    reach = content_of(path)["reach"]
    assert browser.run("z[1]") == pytest.approx(0.6 * reach, abs=0.1 * reach)
    assert_draws(browser, found, browser.run("[...z]"))

    choose = (
        "(name, axis) => { const s = document.getElementById(name); s.value = axis;"
        "s.dispatchEvent(new Event('change')); return ['across', 'up'].map("
        "n => +document.getElementById(n).value); }"
    )
    browser.run(f"({choose})('across', 0); ({choose})('up', 2)")
    assert browser.run(f"({choose})('up', 0)") == [
        2,
        0,
    ]  # the same dimension twice: they are swapped
    before = browser.run("[...z]")
    browser.run("scrollTo(0, 0)")
    x, y = browser.middle("#handle")
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x - 50, y - 50, button="left", buttons=1)
    browser.mouse("mouseReleased", x - 50, y - 50, button="left")
    after = browser.run("[...z]")
    assert after[2] < before[2] and after[0] > before[0] and after[1] == before[1]


@needs_chromium
def test_the_nearest_test_picture_is_shown_and_a_click_moves_there(pages, browser):
    found, path = pages["space"]
    content = content_of(path)
    means = array(content["means"]).reshape(-1, 3)
    browser.open(path)
    browser.set([1.2, -0.7, 0.4])
    nearest = int(np.square(means - [1.2, -0.7, 0.4]).sum(1).argmin())
    test = data.load("digits", found.recipe.image_shape, "test")
    shown = browser.run(
        "(() => { const c = document.getElementById('near-picture');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"
    )
    assert np.array_equal(np.reshape(shown, (12, 10, 4))[..., :1], test.images[nearest])
    assert browser.run("document.getElementById('near-name').textContent") == str(
        test.labels[nearest]
    )
    browser.run("document.getElementById('nearest').click()")
    assert browser.run("[...z]") == pytest.approx(means[nearest].tolist())


@needs_chromium
def test_every_control_has_a_name_and_a_visible_focus(pages, browser):
    browser.open(pages["space"][1])
    browser.send("Accessibility.enable")
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    named = {(n["role"]["value"], n["name"]["value"]) for n in tree if "name" in n and "role" in n}
    for role in ("application", "slider", "spinbutton", "combobox", "button"):
        assert [name for kind, name in named if kind == role and name], role
        assert not [name for kind, name in named if kind == role and not name], role
    browser.run("document.body.focus()")
    browser.key("Home")  # a key, so that the browser shows the focus
    for selector in ("#plane", "#reset", "#z0", "#n0", "#across", "#legend button"):
        browser.run(f"document.querySelector('{selector}').focus()")
        outline = browser.run(
            f"getComputedStyle(document.querySelector('{selector}')).outlineStyle"
        )
        assert outline == "solid", selector


@needs_chromium
@pytest.mark.parametrize("name", ["plane", "space"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("phone", [False, True])
def test_it_fits_a_desk_and_a_phone_in_light_and_dark(name, dark, phone, pages, browser, tmp_path):
    width, height, density = (390, 844, 3) if phone else (1200, 900, 1)
    browser.open(pages[name][1], width, height, phone=phone, dark=dark, density=density)
    shot = browser.screenshot(tmp_path / "screen.png")
    assert shot.shape == (height * density, width * density, 3)
    corner = shot[-8:, :8].mean()  # the paper
    assert corner < 60 if dark else corner > 200
    colours = shot.reshape(-1, 3).astype(int) @ [1 << 16, 1 << 8, 1]
    assert len(np.unique(colours)) > 500  # dots, words, a picture
    assert browser.run("document.documentElement.scrollWidth") <= width
    for selector in ("#picture", "#plane", "#reset"):
        left, top, wide, high = browser.box(selector)
        assert left >= 0 and top >= 0 and left + wide <= width and top + high <= height, selector
    if phone:
        small = browser.run(
            "[...document.querySelectorAll('button, select, [type=range]')]"
            ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
        browser.run("scrollTo(0, document.body.scrollHeight)")
        assert browser.box("#picture")[1] >= 0  # still visible at the sliders
