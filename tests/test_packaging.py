"""The lists of what to install agree with each other and with what the code imports."""

import ast
import importlib
import re
import sys
import tomllib
from pathlib import Path

import knock

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
METADATA = PROJECT["project"]
# Names to import that differ from the name to install.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "IPython": "ipykernel",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
}


def listed(name):
    """(line, requirement) of a requirements file; without comments and options."""
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            yield line, Requirement(text)


def pins():
    """Exact version of each package in requirements.txt."""
    found = {}
    for line, requirement in listed("requirements.txt"):
        exact = re.fullmatch(r"==([\w.]+)", str(requirement.specifier))
        assert exact, f"not an exact version: {line}"
        assert requirement.name not in found, f"twice: {line}"
        found[requirement.name] = exact[1]
    return found


def ranges():
    """(where, requirement) for each package that pyproject.toml names."""
    groups = {"dependencies": METADATA["dependencies"]} | METADATA["optional-dependencies"]
    for where, lines in groups.items():
        for requirement in map(Requirement, lines):
            if requirement.name != METADATA["name"]:
                yield where, requirement


def test_every_version_in_requirements_is_within_the_ranges_of_pyproject():
    exact = pins()
    for where, requirement in ranges():
        assert requirement.name in exact, f"{requirement} ({where}) is not in requirements.txt"
        assert exact[requirement.name] in requirement.specifier, f"{requirement} ({where})"


def test_pyproject_names_every_package_in_requirements():
    assert set(pins()) == {requirement.name for _, requirement in ranges()}


def test_every_version_has_its_reason_beside_it():
    for name in ("requirements.txt", "requirements-gpu.txt"):
        for line, _ in listed(name):
            assert len(line.partition("#")[2].split()) > 1, line


def test_the_gpu_list_builds_on_the_cpu_list_and_repeats_no_version():
    text = (ROOT / "requirements-gpu.txt").read_text(encoding="utf-8")
    assert "\n-r requirements.txt\n" in text
    for line, requirement in listed("requirements-gpu.txt"):
        assert requirement.name not in pins() or not requirement.specifier, line


def test_all_holds_every_framework_and_keras_its_backend():
    extras = METADATA["optional-dependencies"]
    assert Requirement(extras["all"][0]).extras == {"pytorch", "tensorflow", "keras", "chainer"}
    assert extras["tensorflow"][0] in extras["keras"]


def test_bootstrap_pyproject_and_classifiers_name_the_same_pythons(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    pythons = {"{}.{}".format(*version) for version in importlib.import_module("bootstrap").PYTHONS}
    asked = SpecifierSet(METADATA["requires-python"])
    assert pythons == {f"3.{minor}" for minor in range(30) if f"3.{minor}" in asked}
    prefix = "Programming Language :: Python :: "
    classifiers = METADATA["classifiers"]
    assert pythons == {c.removeprefix(prefix) for c in classifiers if c.startswith(prefix)}


def test_chainers_build_gets_a_setuptools_that_it_can_use():
    (_, constraint), *more = listed("build-constraints.txt")
    assert not more and constraint.name == "setuptools"
    assert "82" not in constraint.specifier  # it has no pkg_resources, which Chainer's build needs
    assert PROJECT["tool"]["uv"]["build-constraint-dependencies"] == [str(constraint)]


def test_the_tests_build_with_a_version_that_may_build():
    (build,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert pins()[build.name] in build.specifier


def test_every_range_has_its_reason_beside_it():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = text.partition("\ndependencies = [\n")[2].partition("\n]\n")[0].splitlines()
    assert len(listed) == len(METADATA["dependencies"])
    for line in listed:
        assert len(line.partition("#")[2].split()) > 2, line


def test_the_console_script_can_be_called():
    module, function = METADATA["scripts"]["knock"].split(":")
    assert callable(getattr(importlib.import_module(module), function))


def imports(tree):
    """The outermost names of the modules that are imported anywhere in some code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def optional(tree):
    """Those of them for which there is another way where they are missing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            caught = {ast.unparse(one.type) for one in node.handlers if one.type}
            if "ImportError" in caught:
                yield from imports(ast.Module(node.body, []))


MODULES = [
    path for path in (ROOT / "knock").rglob("*.py") if "frameworks" not in path.parts
]  # only knock/frameworks may need more than the core


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_without_a_framework_knock_needs_only_its_core_dependencies(path):
    lines = METADATA["dependencies"]
    if "notebook" in path.relative_to(ROOT).with_suffix("").parts:  # asked for before any import
        lines = [*lines, *METADATA["optional-dependencies"]["notebook"]]
    core = {canonicalize_name(Requirement(line).name) for line in lines}
    known = core | sys.stdlib_module_names | {"knock"}
    listed = [line for lines in METADATA["optional-dependencies"].values() for line in lines]
    extras = {canonicalize_name(Requirement(line).name) for line in listed}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    without = set(optional(tree))
    for name in imports(tree):
        distribution = DISTRIBUTIONS.get(name, name)
        assert distribution in (known | extras if name in without else known), name


ADDRESS = METADATA["urls"]["Repository"]


def test_every_page_gives_the_same_address_of_the_repository():
    """Whoever publishes it writes the owner's name in each of these places."""
    name = METADATA["name"]
    files = [*ROOT.glob("*.*"), *(ROOT / ".github").rglob("*.*")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in files if path.is_file()}
    found = {
        file: set(re.findall(rf"https?://[^\s\"()]*?/{name}", text)) for file, text in texts.items()
    }
    assert {"pyproject.toml", "CITATION.cff", "CONTRIBUTING.md"} <= {f for f in found if found[f]}
    assert set().union(*found.values()) == {ADDRESS}


def test_the_licence_is_said_once_and_the_same_everywhere():
    assert METADATA["license"] == "MIT"
    (licence,) = METADATA["license-files"]
    text = (ROOT / licence).read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert f"Copyright (c) 2026 {METADATA['authors'][0]['name']}\n" in text
    assert not [one for one in METADATA["classifiers"] if one.startswith("License")]


def test_the_citation_is_of_this_project_and_version():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert told["cff-version"] == "1.2.0"
    assert told["version"] == knock.__version__
    assert told["authors"] == METADATA["authors"]
    assert told["license"] == METADATA["license"]
    assert told["repository-code"] == ADDRESS


def test_the_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[:2] == ["Unreleased", knock.__version__]
    assert versions == re.findall(r"^\[(.+?)\]: ", text, re.MULTILINE)


def test_the_workflow_runs_the_readmes_two_commands_on_each_system():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    _, _, below = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Two commands")
    block = below.split("```sh\n")[1].split("```")[0]
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert len(commands) == 2
    assert [step["run"] for step in job["steps"] if "run" in step] == commands
    matrix = job["strategy"]["matrix"]
    systems = {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert set(matrix["os"]) == systems and job["runs-on"] == "${{ matrix.os }}"
    asked = SpecifierSet(METADATA["requires-python"])
    supported = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in asked]
    assert matrix["python"] == [supported[0], supported[-1]]


def test_the_workflow_may_only_read_and_ends_by_itself():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in job
    assert 0 < job["timeout-minutes"] <= 120
    for step in job["steps"]:
        assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), step
