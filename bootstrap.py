"""Sets the project up in .venv beside this file, then hands every word over to `knock`.

    python3 bootstrap.py WORDS...       is `knock WORDS...` with everything installed first

It needs nothing but Python. The first call installs requirements.txt and the project itself; later
calls start `knock` at once, and install again when the requirements change. What it exits with:
knock's own code once knock runs; 1 when pip or venv fails; 2 when this machine lacks something
(another Python, the venv module, room on the disk, the right to write); 130 on Ctrl-C.

An older Python must be able to read this file to be told that it is too old: hence no f-strings.
"""

from __future__ import print_function

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time

PYTHONS = ((3, 11), (3, 12), (3, 13))
ROOT = os.path.dirname(os.path.realpath(__file__))
VENV = os.path.join(ROOT, ".venv")
WINDOWS = os.name == "nt"
PYTHON = os.path.join(VENV, "Scripts" if WINDOWS else "bin", "python.exe" if WINDOWS else "python")
REQUIREMENTS = os.path.join(ROOT, "requirements.txt")
CONSTRAINTS = os.path.join(ROOT, "build-constraints.txt")
# What was installed, for the calls to come: {"made": for which Python and folder bootstrap made
# the environment (absent where the user made it), "installed": the digest of what went in}.
STAMP = os.path.join(VENV, "bootstrap.json")
LOCK = os.path.join(ROOT, ".venv.lock")


class Stop(Exception):
    """Ends the program with one line and an exit code."""

    def __init__(self, message, code=2):
        super(Stop, self).__init__(message)
        self.code = code


def say(text):
    """Speaks on standard error: standard output belongs to knock."""
    print("bootstrap: " + text, file=sys.stderr)
    sys.stderr.flush()


def check_python(version):
    """Stops where `version` (a tuple like sys.version_info) is not one of PYTHONS."""
    if tuple(version[:2]) not in PYTHONS:
        raise Stop(
            "needs Python 3.11, 3.12 or 3.13; this is {}.{} - try: {} bootstrap.py {}".format(
                version[0],
                version[1],
                "py -3.12" if WINDOWS else "python3.12",
                " ".join(sys.argv[1:]),
            ).rstrip()
        )


def digest():
    """Of everything that an installation depends on: when it changes, pip has to run again."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)
    parts = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    for path in (REQUIREMENTS, CONSTRAINTS):
        with open(path, encoding="utf-8") as file:
            parts.append(file.read())
    parts.append(ROOT)  # the editable installation points here
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def maker():
    """What ties an environment to this call: it serves neither another Python nor folder."""
    return ["{}.{}".format(*sys.version_info[:2]), ROOT]


def read_stamp():
    """The stamp, or {} where there is none that can be read."""
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp):
    """Writes it whole or not at all."""
    with open(STAMP + ".tmp", "w") as file:
        json.dump(stamp, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(STAMP + ".tmp", STAMP)


def is_ready():
    """Whether .venv holds exactly what this call needs."""
    stamp = read_stamp()
    return (
        stamp.get("installed") == digest()
        and stamp.get("made", maker()) == maker()
        and os.path.exists(PYTHON)  # False also for a link to a Python that is gone
    )


@contextlib.contextmanager
def locked():
    """Lets one bootstrap at a time work in this folder; yields the open lock file.

    The system holds the lock, so it ends with its process and never goes stale; only the empty
    file stays.
    """
    with open(LOCK, "a") as file:
        waiting = False
        while not try_lock(file):
            if not waiting:
                say("another bootstrap is setting up this folder; waiting for it")
                waiting = True
            time.sleep(0.2)
        yield file  # closing the file frees the lock


def try_lock(file):
    """Takes the lock unless somebody has it; says whether it did."""
    try:
        if WINDOWS:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def constrained(environ):
    """A copy of `environ` in which pip builds Chainer with the setuptools that it needs.

    pip up to 26.1 reads PIP_CONSTRAINT when it builds, pip from 25.3 on PIP_BUILD_CONSTRAINT.
    Both are lists split at spaces; as a URI our file has none. The user's own entries stay.
    """
    import pathlib

    ours = pathlib.Path(CONSTRAINTS).as_uri()
    environ = dict(environ)
    for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
        environ[name] = (environ.get(name, "") + " " + ours).strip()
    return environ


def clock(start):
    """Minutes and seconds since `start`."""
    return "{}:{:02d}".format(*divmod(int(time.monotonic() - start), 60))


def show(line):
    """Shows what pip is at: one line that changes on a terminal, the slow steps elsewhere."""
    if sys.stderr.isatty():
        width = max(20, os.get_terminal_size(sys.stderr.fileno()).columns) - 1
        sys.stderr.write("\r" + line[:width].ljust(width) + "\r")
        sys.stderr.flush()
    elif line.endswith(" MB)") or "Building wheels" in line or "Installing collected" in line:
        say(line[:100])


def work(command, doing, lock, environ=None):
    """Runs a command, showing its progress, and all that it said if it fails.

    It inherits the lock, so that one left behind by a killed bootstrap keeps others out.
    """
    start = time.monotonic()
    output = ""
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        pass_fds=() if WINDOWS else (lock.fileno(),),
    )
    try:
        with process:
            for line in process.stdout:
                output += line
                show("  {}  {}".format(clock(start), line.strip()))
    finally:
        show("")
    if process.returncode:
        sys.stderr.write(output)
        if "No space left" in output or "not enough space" in output:
            import tempfile

            raise Stop(
                "{} failed: no space left in {} or {}; free some (the environment takes about"
                " 4 GB, more with CUDA) and call again".format(doing, ROOT, tempfile.gettempdir())
            )
        raise Stop("{} failed, see above; the next call tries again".format(doing), 1)


def runs(*arguments):
    """Whether the environment's Python runs with these arguments."""
    try:
        return not subprocess.call(
            (PYTHON,) + arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False


def holds_files(folder):
    return any(files for _, _, files in os.walk(folder))


def make_venv(lock):
    """Makes .venv, or makes it anew where it is broken or ours and of another Python or folder.

    One that works and that the user made stays, provided that its Python is supported.
    """
    import importlib.util

    made = read_stamp().get("made", maker())
    if made == maker() and runs("-c", ""):
        check = "import sys; sys.exit(sys.version_info[:2] not in {!r})".format(PYTHONS)
        if not runs("-c", check):
            raise Stop("the Python in {} is not 3.11, 3.12 or 3.13; move it away".format(VENV))
        pip = ("-m", "pip", "--version")
        if runs(*pip) or (runs("-m", "ensurepip") and runs(*pip)):
            return
    is_venv = os.path.exists(os.path.join(VENV, "pyvenv.cfg"))
    if os.path.isfile(VENV) or (holds_files(VENV) and not is_venv):
        raise Stop("{} is no virtual environment; move it away".format(VENV))
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        raise Stop(
            "this Python lacks the venv module; on Debian and Ubuntu: "
            "sudo apt install python{}.{}-venv".format(*sys.version_info[:2])
        )
    say(
        "{} .venv with Python {}.{}.{}".format(
            "remaking" if is_venv else "making", *sys.version_info[:3]
        )
    )
    work([sys.executable, "-m", "venv", "--clear", VENV], "making .venv", lock)
    write_stamp({"made": maker()})


def install(lock):
    """Brings .venv to what requirements.txt, build-constraints.txt and pyproject.toml ask for."""
    start = time.monotonic()
    make_venv(lock)
    wanted = digest()
    stamp = read_stamp()
    if stamp.pop("installed", None):
        say("the requirements changed: installing what is new")
    else:
        size = "1 GB (4 GB if PyTorch brings CUDA)" if sys.platform == "linux" else "1 GB"
        say("installing requirements.txt, once: 2 to 15 minutes, downloads about " + size)
    write_stamp(stamp)  # no longer "installed": if this is interrupted, the next call sees it
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    work(pip + ["-r", REQUIREMENTS, "-e", ROOT], "pip", lock, constrained(os.environ))
    write_stamp(dict(stamp, installed=wanted))
    say("ready after " + clock(start))


def wait_for(command):
    """Runs a command to its end and returns its exit code; Ctrl-C is the command's to handle."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass


def hand_over(words):
    """Goes on as `knock WORDS`. Without words knock says what it can do."""
    # -P: a file in the current folder must not be taken for a module of the same name.
    command = [PYTHON, "-P", "-m", "knock"] + (words or ["--help"])
    if WINDOWS:  # exec there starts another process, and the shell would not wait for it
        sys.exit(wait_for(command))
    os.execv(PYTHON, command)


def main(words):
    try:
        check_python(sys.version_info)
        if not is_ready():
            with locked() as lock:
                if not is_ready():  # the one that we waited for may have done it
                    install(lock)
        hand_over(words)
    except Stop as stop:
        say(str(stop))
        sys.exit(stop.code)
    except OSError as error:  # no right to write, no room, a missing file
        say("cannot go on: {}".format(error))
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; the next call goes on")
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
