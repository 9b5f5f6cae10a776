"""`knock doctor`: what is installed, what is missing, and how to get it."""

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

import knock
from knock import paths
from knock.frameworks import FRAMEWORKS, Framework

HELP = "show versions and devices, and what is missing and how to get it"

_TOOLS = ("numpy", "opencv-python-headless", "matplotlib", "safetensors", "scikit-learn")


def add_arguments(parser: ArgumentParser) -> None:
    """Whether to ask for devices."""
    parser.add_argument("--devices", action="store_true", help="ask each framework for its devices")


def run(found: Namespace, rest: list[str]) -> int:
    """Print the lines one by one: a framework takes seconds to answer."""
    for line in devices() if found.devices else overview():
        print(line, flush=True)
    return 0


def overview() -> Iterator[str]:
    """The lines without devices. Imports no framework: versions are read from the disk."""
    from knock import data
    from knock.check.kept_run import RUNS
    from knock.measure import examiner

    yield f"knock {knock.__version__}, Python {platform.python_version()}, {platform.platform()}"
    free = shutil.disk_usage(".").free // 2**30
    from knock.training.process import cores

    yield f"{cores()} CPU cores, {free} GiB of disk free here"
    yield ""
    yield "frameworks"
    for framework in FRAMEWORKS.values():
        yield f"  {framework.title:<11} {_state(framework)}"
    yield ""
    yield "tools"
    for name in (*_TOOLS, *(["pytest"] if paths.IN_CLONE else [])):
        yield f"  {name:<24} {_version(name) or f'missing: pip install {name}'}"
    yield ""
    yield "data sets"
    for one in data.status():
        yield f"  {one.name:<14} {one.where if one.present and one.where else one.how_to_get}"
    yield ""
    yield "cache"
    size = RUNS.size() / 2**20
    yield f"  the judge's numbers: {size:.1f} MiB in {RUNS.folder}"
    size = examiner.EXAMINERS.size() / 2**20
    yield f"  examiners of knock score: {size:.1f} MiB in {examiner.EXAMINERS.folder}"
    for known in examiner.known():
        _, height, width = known.image
        share = f"{known.accuracy:.1%} of {known.test} test pictures"
        yield f"    {known.name}, {height}×{width}: names {share}"
    yield "  (what is missing there is computed again; the folder may be deleted)"
    yield ""
    yield "knock doctor --devices asks each framework which devices it can use"


def devices() -> Iterator[str]:
    """The devices that each framework can use. Each is asked in a process of its own."""
    for framework in FRAMEWORKS.values():
        if framework.missing:
            continue
        program = (
            f"from knock import frameworks; print(', '.join(frameworks.load({framework.name!r})"
            ".devices()))"
        )
        asked = subprocess.run(
            [sys.executable, "-P", "-X", "utf8", "-c", program],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        lines = (asked.stdout if asked.returncode == 0 else asked.stderr).strip().splitlines()
        yield f"  {framework.title:<11} {lines[-1] if lines else 'gives no answer'}"


def _state(framework: Framework) -> str:
    if framework.missing:
        return f"missing {' and '.join(framework.missing)}: {framework.how_to_install}"
    return ", ".join(f"{name} {_version(name)}" for name in framework.packages)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
