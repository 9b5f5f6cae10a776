"""Installs everything into .venv beside this file, then runs `knock` with the given words.

    python3 bootstrap.py WORDS...       installs, if needed, and runs `knock WORDS...`

It needs only Python. The first call installs requirements.txt and the project itself; later calls
start `knock` at once, and install again if the requirements have changed. Exit code: that of knock
once knock runs; 1 if pip or venv fails; 2 if this machine lacks something (a supported Python, the
venv module, disk space, permission to write); 130 after Ctrl-C.

Old Pythons must be able to read this file, so that it can say that they are too old: no f-strings.
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
# What was installed, for later calls: {"made": the Python and the folder for which bootstrap made
# the environment (missing if the user made it), "installed": the digest of what was installed}.
STAMP = os.path.join(VENV, "bootstrap.json")
LOCK = os.path.join(ROOT, ".venv.lock")


class Stop(Exception):
    """Ends the program with one line and an exit code."""

    def __init__(self, message, code=2):
        super(Stop, self).__init__(message)
        self.code = code


def say(text):
    """Prints to standard error: standard output belongs to knock."""
    print("bootstrap: " + text, file=sys.stderr)
    sys.stderr.flush()


def check_python(version):
    """Raises Stop if `version` (a tuple like sys.version_info) is not one of PYTHONS."""
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
    """A digest of all that an installation depends on: if it changes, pip has to run again."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)
    parts = [project["build-system"], project["project"], project["tool"]["hatch"]]
    for path in (REQUIREMENTS, CONSTRAINTS):
        with open(path, encoding="utf-8") as file:
            parts.append(file.read())
    parts.append(ROOT)  # the editable installation points here
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def maker():
    """What an environment is made for: it does not work for another Python or folder."""
    return ["{}.{}".format(*sys.version_info[:2]), ROOT]


def read_stamp():
    """The stamp, or {} if there is none or it cannot be read."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp):
    """Writes the stamp, completely or not at all."""
    with open(STAMP + ".tmp", "w", encoding="utf-8") as file:
        json.dump(stamp, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(STAMP + ".tmp", STAMP)


def is_ready():
    """Whether .venv has exactly what this call needs."""
    stamp = read_stamp()
    return (
        stamp.get("installed") == digest()
        and stamp.get("made", maker()) == maker()
        and os.path.exists(PYTHON)  # False also for a link to a Python that no longer exists
    )


@contextlib.contextmanager
def locked():
    """Lets only one bootstrap at a time work in this folder; yields the open lock file.

    The system frees the lock when the process ends, so it is never stale; only the empty file
    stays.
    """
    with open(LOCK, "ab") as file:
        waiting = False
        while not try_lock(file):
            if not waiting:
                say("another bootstrap is setting up this folder; waiting for it")
                waiting = True
            time.sleep(0.2)
        yield file  # closing the file frees the lock


def try_lock(file):
    """Takes the lock if it is free; returns whether it did."""
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
    """A copy of `environ` that makes pip build Chainer with the setuptools that it needs.

    For builds, pip up to 26.1 reads PIP_CONSTRAINT, pip from 25.3 on PIP_BUILD_CONSTRAINT. Both
    are lists separated by spaces; as a URI our file has none. The user's own entries stay.
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
    """Shows what pip does: on a terminal one changing line, elsewhere only the slow steps."""
    if sys.stderr.isatty():
        width = max(20, os.get_terminal_size(sys.stderr.fileno()).columns) - 1
        sys.stderr.write("\r" + line[:width].ljust(width) + "\r")
        sys.stderr.flush()
    elif line.endswith(" MB)") or "Building wheels" in line or "Installing collected" in line:
        say(line[:100])


def work(command, doing, lock, environ=None):
    """Runs a command and shows its progress, and all of its output if it fails.

    It inherits the lock: if bootstrap is killed, a command that still runs keeps others out.
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
                "{} failed: no space left in {} or {}; free some (the environment needs about"
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
    """Makes .venv; makes it again if it is broken, or if we made it for another Python or folder.

    A working one that the user made stays, if its Python is supported.
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
        raise Stop("{} is not a virtual environment; move it away".format(VENV))
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        raise Stop(
            "this Python lacks the venv module; on Debian and Ubuntu install it with: "
            "sudo apt install python{}.{}-venv".format(*sys.version_info[:2])
        )
    say(
        "{} .venv with Python {}.{}.{}".format(
            "making a new" if is_venv else "making", *sys.version_info[:3]
        )
    )
    work([sys.executable, "-m", "venv", "--clear", VENV], "making .venv", lock)
    write_stamp({"made": maker()})


def install(lock):
    """Installs into .venv what requirements.txt, build-constraints.txt and pyproject.toml list."""
    start = time.monotonic()
    make_venv(lock)
    wanted = digest()
    stamp = read_stamp()
    if stamp.pop("installed", None):
        say("the requirements have changed: installing what is new")
    else:
        size = "1 GB (4 GB if PyTorch brings CUDA)" if sys.platform == "linux" else "1 GB"
        say("installing requirements.txt, only once: 2 to 15 minutes, downloads about " + size)
    write_stamp(stamp)  # without "installed": if this is interrupted, the next call installs again
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    work(pip + ["-r", REQUIREMENTS, "-e", ROOT], "pip", lock, constrained(os.environ))
    write_stamp(dict(stamp, installed=wanted))
    say("ready after " + clock(start))


def wait_for(command):
    """Runs a command to its end and returns its exit code; the command handles Ctrl-C."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            pass


def hand_over(words):
    """Becomes `knock WORDS`. Without words knock shows its help."""
    # -P: a file in the current folder must not be imported instead of a module with its name.
    command = [PYTHON, "-P", "-m", "knock"] + (words or ["--help"])
    if WINDOWS:  # there, exec starts another process, and the shell would not wait for it
        sys.exit(wait_for(command))
    os.execv(PYTHON, command)


def main(words):
    try:
        check_python(sys.version_info)
        if not is_ready():
            with locked() as lock:
                if not is_ready():  # the bootstrap that we waited for may have done it
                    install(lock)
        hand_over(words)
    except Stop as stop:
        say(str(stop))
        sys.exit(stop.code)
    except OSError as error:  # no permission, a full disk, a missing file
        say("cannot continue: {}".format(error))
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted; the next call continues")
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
