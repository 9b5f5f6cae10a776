"""`knock explore dcgan`: in a real browser, the page makes the generator's pictures."""

import base64
import json
import re

from knock import questions, recipe
from knock.data import to_pixels
from knock.errors import UserError
from knock.explore import generator, network
from knock.frameworks import numpy as plain
from knock.recipe import Draw, kinds, layers
from knock.recipe.schema import Network
from knock.recipe.weights import initial_weights
from knock.trained import directions, draws
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint
from tests.browser import needs_chromium
from tests.helpers import knock_here, one_line

import cv2
import msgspec
import numpy as np
import pytest

SMALL = {"z": 7, "g_width": 3, "d_width": 2, "c_width": 2, "e_width": 2, "references": 5}
HAVE_A_PAGE = [
    question.name
    for question in questions.all_questions()
    if not question.opens and generator.noise_of(recipe.load(question.recipe_file))
]


# ---- Checkpoints ---------------------------------------------------------------------------------


def small(question, image=(1, 16, 32), preset=None, **constants):
    """A recipe of a question, on the digits, with a small generator."""
    path = questions.find(question).recipe_file
    known = recipe.load(path, "digits").constants
    overrides = {k: v for k, v in {**SMALL, **constants}.items() if k in known}
    return recipe.load(path, "digits", overrides={"constants": overrides, "image": image})


def trained(resolved, seed=0):
    """A checkpoint as if it had been trained: statistics that are not 0 and 1, pictures with black
    and white."""
    dice = np.random.default_rng(seed)
    state = {}
    for key, value in initial_weights(resolved).items():
        if key.endswith(("running_var", "weight")) and value.ndim == 1:
            value = dice.uniform(0.5, 2.0, value.shape)
        elif value.ndim == 1:
            value = dice.normal(0, 0.3, value.shape)
        else:
            value = dice.normal(0, 1.5 / np.sqrt(value[0].size), value.shape)
        state[key] = value.astype("f4")
    return Checkpoint(resolved, 7, state, "keras", {})


def saved(folder, found):
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(folder / checkpoint.FILE_NAME, found)
    return folder


def pictures(found, noise, label=0):
    """What the generator makes of noise (N×z) in NumPy: uint8 N×H×W×C."""
    placed = layers.networks(found.recipe)["generator"]
    built = plain.networks(found.recipe)["generator"]
    for module in built.modules:
        for kind in module.values:
            module.values[kind] = found.state[f"generator.{module.name}.{kind}"].astype("f8")
    classes = placed.input[0] - noise.shape[1]
    asked = np.tile(np.eye(max(1, classes))[label][:classes], (len(noise), 1))
    drawn = draws.of(found.recipe, 0, 0, 1, 1)
    reference = [drawn[one.layer.of] for one in placed.layers if one.layer.kind == "virtual_norm"]
    made = plain.evaluate(built, np.concatenate([noise, asked], 1), *reference[:1])
    ends = [one.layer.kind for one in placed.layers if one.layer.kind in ("tanh", "sigmoid")]
    return to_pixels(made if ends[-1] == "tanh" else 2 * made - 1)


def explored(found, folder, *words):
    """The page of a checkpoint, made by the command."""
    done = knock_here("explore", found.recipe.question, saved(folder, found), *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "explore.html"


def content_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="content">(.*?)</script>', text)[1])


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


# ---- Without a browser ---------------------------------------------------------------------------


@pytest.fixture
def few_noises(monkeypatch):
    monkeypatch.setattr(generator, "_NOISES", 40)


def test_every_question_with_a_generator_has_a_page():
    assert {"gan", "dcgan", "cgan", "wgan", "wgan_gp", "alpha_gan"} < set(HAVE_A_PAGE)
    assert not {"vae", "lapgan", "pix2pix"} & set(HAVE_A_PAGE)


@pytest.mark.parametrize("question", HAVE_A_PAGE)
def test_a_page_of_quick_sizes_has_at_most_4_mb_and_loads_nothing(question, few_noises):
    resolved = recipe.load(questions.find(question).recipe_file, "digits")
    found = trained(resolved)
    asked = resolved.constants["classes"] if question == "cgan" else 0
    names = [str(label) for label in range(asked)]
    page = generator.make(found, names, {})
    assert len(page.encode()) < 4_000_000
    assert '"numbers": "float32"' in page
    assert not re.findall(r"https?:|url\(|@import|\bfetch\(|\bimport\(|XMLHttp", page)
    assert "default-src 'none'" in page
    assert page == generator.make(found, names, {})


def test_a_larger_generator_is_told_in_float16_and_too_large_a_one_not_at_all(few_noises):
    colour = recipe.load(questions.find("gan").recipe_file, "cifar10")
    content = generator.describe(trained(colour), [], {})
    assert content["numbers"] == "float16"
    weights = [one for one in content["generator"]["layers"] if one.get("half")]
    assert [one["layer"] for one in weights] == 4 * ["linear"]
    huge = recipe.load(questions.find("dcgan").recipe_file, "newts", "full")
    with pytest.raises(
        UserError, match=r"have 21 MB, more than 20; train a smaller one \(--preset"
    ):
        generator.describe(Checkpoint(huge, 1, {}, "keras", {}), [], {})


def test_the_first_picture_is_the_first_that_knock_sample_makes(few_noises):
    for question in ("dcgan", "alpha_gan"):
        found = trained(small(question))
        expected = draws.of(found.recipe, 0, 0, 1, draws.AT_ONCE)["noise"][0]
        assert np.array_equal(floats(generator.describe(found, [], {})["first"]), expected)


def test_the_directions_are_those_that_change_a_layer_most():
    """A layer that stretches some directions of noise: the principal ones are these, in order."""
    dice = np.random.default_rng(3)
    axes = np.linalg.qr(dice.normal(size=(6, 6)))[0]
    noise = dice.uniform(-1, 1, (600, 6))
    made = noise @ axes.T @ np.diag([9, 5, 3, 0.1, 0.1, 0.1]) + 4
    made[1::2] += 1000  # what a class adds counts for nothing
    vectors, shares = generator.principal(made, noise, classes=2)
    assert np.allclose(vectors @ vectors.T, np.eye(6))
    for vector, axis in zip(vectors[:3], axes, strict=False):
        assert abs(vector @ axis) > 0.99
    assert shares[:3] == pytest.approx(np.array([81, 25, 9]) / 115, rel=0.1)
    assert sum(shares) == pytest.approx(1)


def test_named_directions_are_read_as_they_were_written(tmp_path):
    found = trained(small("dcgan"))
    vectors = {"thick": np.arange(7.0), "slant ü": -np.ones(7), "a": np.eye(7)[2]}
    path = directions.write(saved(tmp_path, found), found, vectors)
    assert path == tmp_path / "directions.safetensors"
    read = directions.read(tmp_path, found)
    assert list(read) == list(vectors)  # in this order
    assert all(np.array_equal(read[name], one) for name, one in vectors.items())
    directions.write(tmp_path, found, {})  # ours may be replaced
    assert directions.read(tmp_path, found) == {}
    for name, vector in (("", np.ones(7)), ("zero", np.zeros(7)), ("nan", [np.nan]), ("2d", [[1]])):
        with pytest.raises(ValueError, match="direction"):
            directions.write(tmp_path, found, {name: np.array(vector)})


def test_a_file_of_directions_that_is_not_right_is_one_line(tmp_path):
    found, other = trained(small("dcgan")), trained(small("dcgan"), seed=1)
    saved(tmp_path, found)
    path = tmp_path / directions.FILE_NAME

    def said():
        return one_line(knock_here("explore", "dcgan", ".", cwd=tmp_path))

    directions.write(tmp_path, found, {"short": np.ones(3)})
    assert "direction 'short' has 3 numbers; a noise has 7" in said()
    directions.write(tmp_path, other, {"a": np.ones(7)})
    assert "directions.safetensors belongs to other weights than the checkpoint" in said()
    path.write_bytes(path.read_bytes()[:-3])
    assert "directions.safetensors is damaged" in said()
    path.write_bytes((tmp_path / checkpoint.FILE_NAME).read_bytes())
    assert "directions.safetensors is not a file of directions" in said()
    with pytest.raises(UserError, match="did not make it"):
        directions.write(tmp_path, found, {"a": np.ones(7)})


def with_layers(found, *changed, constants=None, draw=None):
    """A checkpoint of a generator with other layers, and first weights for them."""
    resolved = found.recipe
    networks = dict(resolved.networks)
    networks["generator"] = Network(input=["z"], layers=list(changed), init="he_uniform")
    more = {"reference": draw} if draw else {}
    resolved = msgspec.structs.replace(
        resolved, networks=networks, draws={**resolved.draws, **more}
    )
    return trained(resolved)


def test_bad_input_is_one_line(tmp_path):
    found = trained(small("dcgan"))
    folder = saved(tmp_path / "dcgan", found)
    nan = trained(small("dcgan"))
    nan.state["generator.pixels.bias"][:] = np.nan
    saved(tmp_path / "nan", nan)
    pixels = kinds.Linear(name="pixels", out="channels * height * width")
    flat = [pixels, kinds.Reshape(shape=["channels", "height", "width"])]
    saved(tmp_path / "raw", with_layers(found, *flat))
    odd = kinds.BatchNorm(name="odd", running=False)
    saved(tmp_path / "odd", with_layers(found, odd, *flat, kinds.Tanh()))
    near = kinds.Minibatch(name="near", kernels=3, dims=2)
    saved(tmp_path / "near", with_layers(found, near, *flat, kinds.Tanh()))
    (tmp_path / "mine.html").write_bytes(b"mine")
    for words, said in {
        ("dcgan", "nowhere"): "cannot read the checkpoint nowhere",
        ("gan", "dcgan"): "dcgan is a checkpoint of question dcgan, not of gan",
        ("dcgan", "nan"): "the generator makes NaN or infinite numbers",
        ("dcgan", "raw"): "ends with a layer 'linear'; the page needs a tanh or a sigmoid",
        ("dcgan", "odd"): "layer 'batch_norm'; that needs a whole batch",
        ("dcgan", "near"): "layer 'minibatch'; the page can evaluate: linear, conv, tconv",
        ("dcgan", "dcgan", "--data", "."): "--data: the page of dcgan shows no data set",
        ("dcgan", "dcgan", "--out", "mine.html"): "mine.html is there already",
        ("pix2pix",): "08 pix2pix makes no pictures from noise; knock explore has a page",
    }.items():
        assert said in one_line(knock_here("explore", *words, cwd=tmp_path)), words
    assert sorted(one.name for one in folder.iterdir()) == [checkpoint.FILE_NAME]


# ---- In a browser --------------------------------------------------------------------------------


class Page:
    """A generator's page in the browser, with what its script knows."""

    def __init__(self, browser, path, **screen):
        self.run = browser.run
        self.browser = browser
        browser.open(path, **screen)

    def go(self, noise):
        self.run(f"go(Float64Array.from({list(map(float, noise))}))")

    def z(self):
        return np.array(self.run("[...z]"))

    def press(self, selector):
        self.run(f"document.querySelector('{selector}').click()")

    def rest(self):
        """Wait until the neighbours are drawn, and the address has the place."""
        self.run(
            "new Promise(go => { const look = () => stale || location.hash !== encoded() ?"
            " setTimeout(look, 20) : go(); look(); })"
        )

    def neighbours(self):
        """The pictures around, by row from above: uint8 25×H×W."""
        found = self.run(
            "cells.map(({ canvas }) => [...canvas.getContext('2d').getImageData(0, 0, width,"
            " height).data.filter((_, i) => i % 4 === 0)])"
        )
        height, width = self.run("[height, width]")
        return np.array(found, np.uint8).reshape(-1, height, width)


def assert_near(shown, expected):
    """Equal to one grey level, and not empty."""
    assert shown.shape == expected.shape and np.ptp(expected) > 50
    assert np.abs(shown.astype(int) - expected).max() <= 1


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """(checkpoint, its page) by question, made when they are asked for."""
    home, made = tmp_path_factory.mktemp("pages"), {}

    def page(question, **more):
        if question not in made:
            found = trained(small(question, **more))
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(generator, "_NOISES", 40)
                made[question] = found, explored(found, home / question)
        return made[question]

    return page


COLOURS = {"wgan": (3, 16, 32), "alpha_gan": (3, 64, 64)}


@needs_chromium
@pytest.mark.parametrize("question", HAVE_A_PAGE)
def test_the_page_makes_what_the_generator_makes(question, pages, browser):
    found, path = pages(question, image=COLOURS.get(question, (1, 16, 32)))
    page = Page(browser, path)
    noises = np.round(np.random.default_rng(1).uniform(-1, 1, (4, 7)) * 2048) / 2048
    label = 0
    if question == "cgan":
        names = page.run("[...document.querySelectorAll('#classes button')].map(b => b.innerText)")
        assert names == list("0123456789")
        label = 6
        page.press("#classes button:nth-child(7)")
        assert page.run("document.getElementById('where').innerText") == "class 6"
    else:
        assert not page.run("document.querySelectorAll('#classes button').length")
    for noise, expected in zip(noises, pictures(found, noises, label), strict=True):
        page.go(noise)
        shown = browser.picture()[..., : found.recipe.image_shape[0]]
        assert_near(shown, expected)
    asked = [
        e["params"]["request"]["url"] for e in browser.events if "requestWillBeSent" in e["method"]
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


RESIDUAL = (
    kinds.Linear(name="fc", out=4 * 4 * 8, spectral=True),
    kinds.Reshape(shape=[4, 4, 8]),
    kinds.LayerNorm(name="ln"),
    kinds.Keep(of="block"),
    kinds.Upsample(scale=2),
    kinds.Conv(name="short", kernel=1, out=3),
    kinds.Keep(of="shortcut"),
    kinds.Restore(of="block"),
    kinds.LeakyReLU(slope=0.3),
    kinds.Upsample(scale=2),
    kinds.Conv(name="conv", kernel=3, pad=1, out=3, spectral=True),
    kinds.Add(of="shortcut"),
    kinds.Concat(of="shortcut"),
    kinds.Conv(name="down", kernel=4, stride=2, pad=1, out=5, bias=False),
    kinds.ReLU(),
    kinds.TransposedConv(name="up", kernel=4, stride=2, pad=1, out=4),
    kinds.TransposedConv(name="pixels", kernel=3, stride=2, pad=1, out_pad=1, out=1),
    kinds.Tanh(),
)
VIRTUAL = (
    kinds.Linear(name="fc", out=3 * 8 * 16, bias=False),
    kinds.VirtualNorm(name="vn0", of="reference"),
    kinds.ReLU(),
    kinds.Reshape(shape=[3, 8, 16]),
    kinds.TransposedConv(name="tconv", kernel=4, stride=2, pad=1, out=2),
    kinds.VirtualNorm(name="vn1", of="reference"),
    kinds.Conv(name="pixels", kernel=5, pad=2, out=1),
    kinds.Sigmoid(),
)
REFERENCE = Draw(distribution="uniform", low=-1.0, shape=["z"], rows=5, fixed=True)


@needs_chromium
def test_every_kind_of_layer_is_evaluated(pages, browser):
    page = Page(browser, pages("dcgan")[1])
    noise = np.random.default_rng(2).uniform(-1, 1, (2, 7))
    every = set()
    for changed in (RESIDUAL, VIRTUAL):
        found = with_layers(trained(small("dcgan")), *changed, draw=REFERENCE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(generator, "_NOISES", 40)
            content = generator.describe(found, [], {})
        every |= {one.kind for one in changed}
        for one, expected in zip(noise, pictures(found, noise), strict=True):
            shown = page.run(
                f"[...networkOf({json.dumps(content['generator'])})(Float64Array.from({one.tolist()}))]"
            )
            assert_near(np.reshape(shown, (16, 32, 1)), expected)
    known = {kind.__struct_config__.tag for kind in network._EVALUATED}
    assert known - every == {"batch_norm", "flatten"}  # of the questions


@needs_chromium
def test_float16_is_read_as_it_is(pages, browser):
    page = Page(browser, pages("dcgan")[1])
    values = np.array([0, -0.0, 1, -2.5, 0.1, 65504, 6e-8, -3e-5, 1e-4], "<f2")
    read = page.run(f"[...halves('{network.packed_as(values, '<f2')}')]")
    assert np.array_equal(np.array(read), values.astype("f8"))


@needs_chromium
def test_sliders_move_the_noise_along_a_direction_and_no_other(tmp_path, browser, few_noises):
    found = trained(small("wgan_gp"))
    named = np.array([1.0, -2, 0, 0, 3, 0, 0])
    directions.write(saved(tmp_path, found), found, {"slant": named})
    page = Page(browser, explored(found, tmp_path))
    vectors = [floats(one["vector"]) for one in content_of(tmp_path / "explore.html")["directions"]]
    labels = page.run("[...document.querySelectorAll('#sliders label')].map(l => l.innerText)")
    assert labels == ["1", "2", "3", "4", "5", "6", "7", "slant"]
    deviation = 2 / np.sqrt(12)
    for place, vector in ((1, vectors[1]), (7, named)):
        before = page.z()
        was = before @ vector / np.linalg.norm(vector) / deviation
        page.run(
            f"(() => {{ const s = document.getElementById('z{place}'); s.value = 1.25;"
            "s.dispatchEvent(new Event('input')); })()"
        )
        unit = vector / np.linalg.norm(vector)
        assert page.z() == pytest.approx(before + (1.25 - was) * deviation * unit, abs=1e-3)
        assert float(page.run(f"document.getElementById('n{place}').value")) == 1.25
        assert_near(browser.picture()[..., :1], pictures(found, page.z()[None])[0])
    told = page.run("document.getElementById('slider-help').innerText")
    shares = [one.get("share", 0) for one in content_of(tmp_path / "explore.html")["directions"]]
    assert "of 40 noises" in told and f"stand for {100 * sum(shares):.0f} % of the change" in told
    assert "directions.safetensors" in told


@needs_chromium
def test_a_click_on_a_neighbour_makes_it_the_middle_and_back_leads_back(pages, browser):
    found, path = pages("dcgan")
    page = Page(browser, path)
    page.rest()
    z, content = page.z(), content_of(path)
    across, up = (floats(one["vector"]) for one in content["directions"][:2])
    step = 0.7 * content["noise"]["deviation"]
    around = np.array(
        [z + step * (right * across + above * up) for above in range(2, -3, -1)
         for right in range(-2, 3)]
    )  # fmt: skip
    expected = pictures(found, around)[..., 0]
    assert np.abs(page.neighbours().astype(int) - expected).max() <= 1
    assert np.array_equal(page.neighbours()[12], browser.picture()[..., 0])
    label = page.run("cells[1].button.getAttribute('aria-label')")
    assert label == "direction 1 −1, direction 2 +2"
    page.press("#neighbours button:nth-child(2)")
    assert page.z() == pytest.approx(around[1], abs=1e-3)
    assert_near(browser.picture()[..., :1], expected[1][..., None])
    page.press("#draw")
    assert np.abs(page.z() - around[1]).max() > 0.05
    assert np.abs(page.z()).max() <= 1
    page.press("#back")
    assert page.z() == pytest.approx(around[1], abs=1e-3)
    page.press("#back")
    assert np.array_equal(page.z(), z)
    assert page.run("document.getElementById('back').disabled")


@needs_chromium
def test_a_walk_stays_among_the_noises(pages, browser):
    """In straight lines within the cube that noise is drawn from, or on arcs at its distance."""
    flat = Page(browser, pages("dcgan")[1])
    ways = np.array(flat.run("[0, 0.25, 1].map(t => [...between([1, -1, 0], [0, 1, 1], t)])"))
    assert ways == pytest.approx(np.array([[1, -1, 0], [0.75, -0.5, 0.25], [0, 1, 1]]))
    page = Page(browser, pages("alpha_gan")[1])
    half = np.array(page.run("[...between([3, 0, 0], [0, 3, 0], 0.5)]"))
    assert half == pytest.approx(np.array([3, 3, 0]) / np.sqrt(2))
    start = page.z()
    page.press("#walk")
    assert page.run("document.getElementById('walk').innerText") == "Stop"
    page.run(
        "new Promise(go => { const first = z.join(); const look = () => z.join() === first ?"
        " setTimeout(look, 10) : go(); look(); })"
    )
    page.press("#walk")
    there = page.z()
    page.run("new Promise(go => setTimeout(go, 100))")
    assert np.array_equal(page.z(), there)  # it has stopped
    page.press("#back")
    assert np.array_equal(page.z(), start)


@needs_chromium
def test_who_wants_little_motion_gets_single_pictures(pages, browser):
    page = Page(browser, pages("dcgan")[1])
    waits = {}
    for wanted in ("no-preference", "reduce"):
        motion = {"name": "prefers-reduced-motion", "value": wanted}
        browser.send("Emulation.setEmulatedMedia", features=[motion])
        waits[wanted] = page.run(
            "(() => { const kept = [setTimeout, requestAnimationFrame]; const waits = [];"
            "setTimeout = (_, ms) => waits.push(ms); requestAnimationFrame = () => waits.push(0);"
            "begin(); [setTimeout, requestAnimationFrame] = kept; stop(); return waits; })()"
        )
    assert waits == {"no-preference": [0], "reduce": [1000]}


@needs_chromium
def test_the_address_keeps_the_place(pages, browser):
    _, path = pages("cgan")
    page = Page(browser, path)
    page.press("#draw")
    page.press("#classes button:nth-child(4)")
    page.rest()
    z, shown = page.z(), browser.picture()
    link = page.run("location.hash")
    Page(browser, path)  # anew, without the place
    assert not np.array_equal(page.z(), z)
    page.run(f"location.hash = {link!r}; new Promise(go => setTimeout(go, 50))")
    assert np.array_equal(page.z(), z) and page.run("label") == 3
    assert np.array_equal(browser.picture(), shown)
    longer = link.replace("&class", "AAAAAAAA&class")
    for odd in ("#z=abc", "#z=%%%&class=2", "#class=99", f"{link}0", longer, "#elsewhere"):
        page.run(f"location.hash = {odd!r}; new Promise(go => setTimeout(go, 50))")
        assert np.array_equal(page.z(), z), odd


@needs_chromium
def test_a_saved_picture_is_the_picture_enlarged(pages, browser):
    page = Page(browser, pages("gan")[1])
    name, data = page.run(
        "(() => { let found; HTMLAnchorElement.prototype.click = function () {"
        " found = [this.download, this.href]; }; element('save').click(); return found; })()"
    )
    assert name == "gan_digits.png"
    raw = np.frombuffer(base64.b64decode(data.partition("base64,")[2]), np.uint8)
    large = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    assert large.shape == (256, 512, 3)
    shown = browser.picture()[..., :3]
    assert np.array_equal(large, shown.repeat(16, 0).repeat(16, 1))


@needs_chromium
def test_keys_do_all_that_the_mouse_does(pages, browser):
    page = Page(browser, pages("cgan")[1])
    deviation = 2 / np.sqrt(12)
    page.run("element('stage').focus()")
    start = page.z()
    browser.key("ArrowRight")
    browser.key("ArrowUp", shift=True)
    across, up = (np.array(page.run(f"[...directions[{i}].vector]")) for i in (0, 1))
    assert page.z() == pytest.approx(start + 0.7 * across + 1.4 * up, abs=2e-3)
    assert np.linalg.norm(across) == pytest.approx(deviation)
    keys = "['7', 'n', 'b', 'b', 's', ' ', ' ']"
    told = page.run(
        "(() => { const told = []; HTMLAnchorElement.prototype.click = () => told.push('saved');"
        f"for (const key of {keys}) {{ element('stage').dispatchEvent(new KeyboardEvent('keydown',"
        "{ key, bubbles: true })); told.push([label, z.join(), walking !== null]); }"
        " return told; })()"
    )
    seven, new, back, before, saved_, _, walks, stops = told
    assert seven[0] == 7 and new[0] == 7 and new[1] != seven[1]
    assert back == seven and before[0] == 0 and saved_ == "saved"
    assert walks[2] and not stops[2]
    page.run("cells[12].button.focus()")
    browser.key("ArrowUp")
    browser.key("ArrowLeft")
    assert page.run("cells.findIndex(({ button }) => button === document.activeElement)") == 6
    assert page.run("cells.filter(({ button }) => button.tabIndex === 0).length") == 1
    assert page.run("scrollY") == 0


@needs_chromium
@pytest.mark.parametrize(("width", "phone"), [(360, True), (768, True), (1280, False)])
def test_it_fits_every_screen_and_everything_has_a_name(width, phone, pages, browser, tmp_path):
    path = pages("cgan")[1]
    for dark in (False, True):
        page = Page(browser, path, width=width, height=800, phone=phone, dark=dark)
        shot = browser.screenshot(tmp_path / "screen.png")
        assert shot[-4:, :4].mean() < 60 if dark else shot[-4:, :4].mean() > 200
        assert page.run("document.documentElement.scrollWidth") <= width
    for selector in ("#picture", "#draw", "#walk", "#back", "#save"):
        left, top, wide, high = browser.box(selector)
        assert left >= 0 and top >= 0 and left + wide <= width and top + high <= 800, selector
    if phone:
        assert not page.run(
            "[...document.querySelectorAll('button, select, [type=range]')]"
            ".filter(e => e.offsetParent && Math.min(e.getBoundingClientRect().height,"
            " 44) < (e.closest('#neighbours') ? 24 : 44)).map(e => e.outerHTML)"
        )
        page.run("scrollTo(0, document.body.scrollHeight)")
        assert browser.box("#picture")[1] >= 0  # still visible at the sliders
    browser.send("Accessibility.enable")
    tree = browser.send("Accessibility.getFullAXTree")["nodes"]
    named = {(n["role"]["value"], n["name"]["value"]) for n in tree if "name" in n and "role" in n}
    for role in ("application", "slider", "spinbutton", "combobox", "button"):
        assert [name for kind, name in named if kind == role and name], role
        assert not [name for kind, name in named if kind == role and not name], role
