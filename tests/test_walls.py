"""The walls around a process that runs a submission, and the grader's own start."""

import contextlib
import ctypes
import errno
import faulthandler
import json
import mmap
import os
import platform
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

from knock import paths
from knock.check import forks
from knock.errors import UserError
from knock.grade import calls, grading, sandbox, scratch, start
from tests.test_grade import FRAMEWORK, LOST, PARTS, RIGHT, graded, part, planted

import pytest

needs_walls = pytest.mark.skipif(not sandbox.LINUX, reason="only Linux has these walls")
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are of x86-64")

LIMITS = sandbox.Limits(20, 1 << 30)


def inside(place, do):
    """What a function returns inside the walls, with `place` as its scratch folder."""
    out, inn = os.pipe()

    def child():
        os.close(out)
        os.chdir(place)
        walls = sandbox.put_up(LIMITS, [], [], place)
        with os.fdopen(inn, "w", encoding="utf-8") as stream:
            json.dump([walls, do()], stream)
        return 0

    number = forks.fork(child)
    os.close(inn)
    with os.fdopen(out, encoding="utf-8") as stream:
        said = stream.read()
    _, status = os.waitpid(number, 0)
    assert status == 0 and said, f"it ended with {status}"
    walls, found = json.loads(said)
    if walls != list(sandbox.ALL):
        pytest.skip("this kernel has not all walls")
    return found


# The filter of system calls, run here as the kernel runs it


def verdict(machine, number, *given, audit=None):
    """What the filter says of a call: an error's name, "allowed" or "killed"."""
    seen = {0: number, 4: machine.audit if audit is None else audit}
    seen |= {16 + 8 * place: value & 0xFFFFFFFF for place, value in enumerate(given)}
    program, at, held = sandbox._program(machine), 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == sandbox._LOAD:
            held = seen.get(value, 0)
        elif code == sandbox._AND:
            held &= value
        elif code == sandbox._RETURN:
            if value == sandbox._ALLOWED:
                return "allowed"
            refused = value & 0xFFFF0000 == sandbox._REFUSED
            return errno.errorcode[value & 0xFFFF] if refused else "killed"
        else:
            holds = held == value if code == sandbox._EQUAL else held >= value
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", calls.MACHINES.values(), ids=calls.MACHINES)
def test_a_call_that_nobody_thought_of_is_refused_and_an_unknown_one_does_not_exist(machine):
    known = {*machine.allowed, *machine.ruled, *machine.absent}
    assert len(known) == len(machine.allowed) + len(machine.ruled) + len(machine.absent)
    for number in range(calls.NEWEST + 1):
        if number not in known:
            assert verdict(machine, number) == "EPERM", number
    assert {verdict(machine, number) for number in machine.allowed} == {"allowed"}
    assert {verdict(machine, number) for number in machine.absent} == {"ENOSYS"}
    assert {verdict(machine, n) for n in range(calls.NEWEST + 1, 600)} == {"ENOSYS"}
    assert verdict(machine, 0x40000000 + machine.allowed[0]) == "EPERM"  # x32
    assert verdict(machine, machine.allowed[0], audit=0x40000003) == "killed"  # 32 bits


@pytest.mark.parametrize("machine", calls.MACHINES.values(), ids=calls.MACHINES)
def test_of_some_calls_only_a_part_is_allowed(machine):
    """The same for both machines: their numbers differ, not their arguments."""
    column = 1 if machine is calls.MACHINES["x86_64"] else 2
    number = calls._numbers(column, calls._RULED)
    me, other = os.getpid(), os.getppid()
    write, read, emptied = os.O_WRONLY | 0o1000, 0, 0o1000
    expected = {
        "fcntl": [((3, n), n in (0, 1, 2, 3, 4, 1030, 1032)) for n in range(1050)],
        "ioctl": [((3, n), False) for n in (0x40086602, 0x40049409, 0x5412, 0xC0045877)]
        + [((3, 0x5401), True)],
        "openat": [((0, 0, write), True), ((0, 0, read), True), ((0, 0, emptied), False)]
        + [((0, 0, 0o1003), False), ((0, 0, 3), False)],
        "fallocate": [((3, 0), True), ((3, 1), False), ((3, 3), False)],
        "close_range": [((3, 9, 0), True), ((3, 9, 4), True), ((3, 9, 2), False)],
        "clone": [((0x3D0F00,), True), ((0x7D0F00,), True), ((0x11,), False)]
        + [((0x3D0B00,), False), ((0x103D0F00,), False)],  # its own files; its own users
        "prctl": [((15,), True), *(((n,), False) for n in (1, 4, 22, 35, 36, 59))],
        "tgkill": [((me, me, 6), True), ((other, other, 6), False), ((0, 0, 6), False)],
        "prlimit64": [((0, 7), True), ((me, 7), True), ((other, 7), False)],
        "sched_setaffinity": [((0, 8), True), ((other, 8), False)],
    }
    for name, cases in expected.items():
        for given, allowed in cases:
            assert (verdict(machine, number[name], *given) == "allowed") == allowed, (name, given)


# The same, asked of the kernel

SHARED = "/usr/bin/env"
REFUSED = {  # number on x86-64, and arguments: `fd` of a shared file, `other` process
    "a lease": (72, "fd", 1024, 0),
    "a note of changes": (72, "fd", 1026, 1),
    "a lock": (72, "fd", 6, 0),
    "a lock of an open file": (72, "fd", 37, 0),
    "a lease, with more above": (72, "fd", (1 << 32) | 1024, 0),
    "a note for readers": (72, "fd", 1036, 0),
    "flock": (73, "fd", 2),
    "attributes": (16, "fd", 0x40086602, 0),
    "frozen files": (16, "fd", 0xC0045877, 0),
    "shared blocks": (16, "fd", 0x40049409, "fd"),
    "shared memory": (29, 4711, 4096, 0o1666),
    "shared memory, joined": (30, 0, 0, 0),
    "shared memory, listed": (31, 0, 13, 0),
    "messages": (70, 0, 0, 10, 0, 0),
    "a semaphore": (64, 1, 1, 0o1666),
    "a queue": (240, 0, 0o102, 0o666, 0),
    "blocks beyond a file's end": (285, "fd", 1, 0, 1 << 30),
    "a table of files of its own": (436, 100, 200, 2),
    "another namespace": (272, 0x10000000),
    "a process": (57,),
    "a thread with its own files": (56, 0x3D0B00, 0, 0, 0, 0),
    "not to end with the grader": (157, 1, 0),
    "not to be looked at": (157, 4, 0),
    "another filter": (317, 1, 0, 0),
    "a socket": (41, 1, 1, 0),
    "a pair of sockets": (53, 1, 1, 0, 0),
    "memory as a file": (319, 0, 0),
    "a ring": (425, 8, 0),
    "another's signal": (62, "other", 0),
    "everybody's signal": (62, -1, 0),
    "another's limits": (302, "other", 7, 0, 0),
    "another's list of locks": (274, "other", 0, 0),
    "a session of its own": (112,),
    "times": (280, "fd", 0, 0, 0),
    "permissions": (91, "fd", 0),
    "an extended attribute": (190, "fd", 0, 0, 0, 0),
    "watched files": (294, 0),
    "all disks": (162,),
    "pages of another's pipe": (278, 3, 0, 1, 0),
    "locked memory": (151, 1),
    "another personality": (135, 0xFFFFFFFF),
    "the kernel's messages": (103, 3, 0, 0),
    "keys": (250, 0, -3, 0),
    "a timer of the kernel": (222, 1, 0, 0),
}


@needs_walls
@x86
def test_a_process_reaches_nothing_but_itself(tmp_path):
    other = os.getpid()

    def attack():
        libc = ctypes.CDLL(None, use_errno=True)
        known = {"fd": os.open(SHARED, os.O_RDONLY), "other": other}
        found = {}
        for name, (number, *given) in REFUSED.items():
            words = [ctypes.c_long(known.get(one, one)) for one in given]
            ctypes.set_errno(0)
            gone = libc.syscall(ctypes.c_long(number), *words) < 0
            found[name] = errno.errorcode.get(ctypes.get_errno()) if gone else "done"
        return found

    assert inside(tmp_path, attack) == dict.fromkeys(REFUSED, "EPERM")


@needs_walls
def test_honest_code_works_inside_the_walls(tmp_path):
    """Threads, files, locks in memory, and what Python asks about itself."""

    def work():
        import fcntl
        import shutil
        import tempfile

        said = []
        thread = threading.Thread(target=said.append, args=("thread",))
        thread.start()
        thread.join()
        with open("a", "w+b") as file:
            file.write(bytes(9))
            os.posix_fallocate(file.fileno(), 0, 99)
            fcntl.fcntl(file, fcntl.F_GETFD)
            os.set_inheritable(file.fileno(), True)
            os.set_blocking(file.fileno(), True)
        shutil.copyfile("a", "b")
        os.replace("b", "c")
        with tempfile.TemporaryDirectory(dir=".") as folder:
            said.append(os.path.basename(os.path.realpath(folder)) != "")
        os.closerange(200, 300)
        return [*said, os.stat("c").st_size, sorted(os.listdir(".")), len(os.urandom(3))]

    assert inside(tmp_path, work) == ["thread", True, 99, ["a", "c"], 3]


# The scratch folder


def map_only(name, size):
    """Map a new file, and let it have neither a name nor a descriptor."""
    with open(name, "w+b") as file:
        os.ftruncate(file.fileno(), size)
        kept = mmap.mmap(file.fileno(), size)
    os.unlink(name)
    kept[:] = b"x" * size
    return kept


def open_only(name, size):
    """Write a new file, and keep it open without a name."""
    file = open(name, "w+b", buffering=0)  # noqa: SIM115
    os.unlink(name)
    left = size
    while left:
        left -= file.write(b"x" * left)
    return file


def beyond_its_end(name, size):
    """Reserve blocks for a file that has no byte."""
    file = open(name, "w+b")  # noqa: SIM115
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(file.fileno(), 1, ctypes.c_long(0), ctypes.c_long(size)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return file


def many_names(name, size):
    """Folders without a file: all they take is their names."""
    for number in range(size // 1024):
        os.mkdir(f"{name}.{number}")


WAYS = [open_only, map_only, beyond_its_end, many_names]


@needs_walls
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_hidden_from_a_quota(way, tmp_path, monkeypatch):
    """Where the folder is a file system of its own, as it is outside of most containers."""
    monkeypatch.setattr(scratch, "LARGEST", 1 << 20)
    monkeypatch.setattr(scratch, "_MOST_FILES", 1 << 10)

    def child():
        if not scratch.prepare(tmp_path / "root"):
            return 3
        os.chdir(tmp_path / "root")
        faulthandler.disable()  # what comes is expected
        kept = []
        try:
            for number in range(40):
                kept.append(way(f"{number}", 1 << 16))
        except OSError as error:
            return 0 if error.errno == errno.ENOSPC and len(kept) <= 16 else 1
        return 2

    _, status = os.waitpid(forks.fork(child), 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 3:
        pytest.skip("no file system can be mounted here")
    if way is map_only:  # there is no error to be caught
        assert code == -signal.SIGBUS
    else:
        assert code == 0
    assert os.listdir(tmp_path / "root") == []  # nobody else sees what was in there


@needs_walls
@pytest.mark.parametrize("first_ends", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_hidden_is_counted_where_there_is_no_quota(way, first_ends, tmp_path):
    """Also once the first thread has ended: then the process seems to have nothing open."""
    out, inn = os.pipe()

    def child():
        os.chdir(tmp_path)
        kept = way("x", 1 << 20)
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        os.write(inn, b"x")
        if first_ends:
            ctypes.CDLL(None).syscall(60 if platform.machine() == "x86_64" else 93, 0)
        time.sleep(60)
        return len(kept)

    number = forks.fork(child)
    assert os.read(out, 1) == b"x"
    deadline = time.monotonic() + 30
    while first_ends and os.path.exists(f"/proc/{number}/fd/{inn}"):
        assert time.monotonic() < deadline
    try:
        assert scratch.used(tmp_path, number) >= 1 << 20
        assert scratch.wrong(tmp_path, number) == ""
    finally:
        forks.kill(number)
        os.waitpid(number, 0)


@needs_walls
def test_a_folder_is_removed_where_there_is_no_room_for_another_name(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_MOST_FILES", 64)

    def child():
        if not scratch.prepare(tmp_path / "root"):
            return 3
        place = tmp_path / "root" / "place"
        place.mkdir()
        with contextlib.suppress(OSError):
            for number in range(99):
                (place / f"{number}" / "deep").mkdir(parents=True)
        scratch.remove(place)
        return len(os.listdir(tmp_path / "root"))

    _, status = os.waitpid(forks.fork(child), 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 3:
        pytest.skip("no file system can be mounted here")
    assert code == 0


@needs_walls
def test_too_many_threads_end_a_process(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_MOST_THREADS", 0)
    assert "too many threads" in scratch.wrong(tmp_path, os.getpid())


# The grader's own start


def class_of(folder, **files):
    """A folder of submissions with some more files in it, each a module that says that it ran."""
    folder.mkdir()
    (folder / "anna_vae_latent_chainer.py").write_text("(", encoding="utf-8")
    for name in files:
        mark = f"open({str(folder.parent / 'ran')!r}, 'a').write({name + ' '!r})\n"
        (folder / f"{name}.py").write_text(mark + files[name], encoding="utf-8")
    return folder


def begin(folder, *options, **environment):
    """`python -m knock grade .` in a folder."""
    words = [sys.executable, *options, "-m", "knock", "grade", ".", "--out", "../g.csv"]
    others = ("PYTHONPATH", "LD_LIBRARY_PATH")  # OpenCV gives the latter an empty entry
    kept = {name: value for name, value in os.environ.items() if name not in others}
    root = {"PYTHONPATH": str(paths.ROOT)}
    return subprocess.run(
        words,
        cwd=folder,
        env={**kept, **root, **environment},
        capture_output=True,
        encoding="utf-8",
    )


def test_nothing_is_imported_from_the_folder_of_a_class(tmp_path):
    names = (
        *("tomllib", "sitecustomize", "usercustomize", "numpy", "msgspec", "psutil", "answers"),
        *("argparse", "csv", "tempfile", "logging", "subprocess", "concurrent", "IPython", "torch"),
    )
    folder = class_of(tmp_path / "class", **dict.fromkeys(names, "raise SystemExit(5)"))
    done = begin(folder)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()
    assert (tmp_path / "g.csv").exists()


def test_a_module_that_python_has_imported_from_there_ends_the_grading(tmp_path):
    """Python needs some modules to find ours, before anybody can tell it not to look there."""
    real = Path(types.__file__).read_text(encoding="utf-8")
    done = begin(class_of(tmp_path / "class", types=real))
    if not (tmp_path / "ran").exists():
        pytest.skip("this Python has it before it looks there")
    assert done.returncode == 2
    assert "types.py as its own types; call `knock grade` from another folder" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("entry", ["", ".", "..", "{root}:", "deep", "{here}"])
@pytest.mark.parametrize("name", ["PYTHONPATH", "LD_LIBRARY_PATH"])
def test_an_entry_that_leads_into_the_class_is_refused(name, entry, tmp_path, monkeypatch):
    folder = class_of(tmp_path / "class")
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep" if entry == ".." else folder)
    given = entry.replace("{root}:", f"{paths.ROOT}{os.pathsep}").replace("{here}", str(folder))
    monkeypatch.setenv(name, given or os.pathsep)
    with pytest.raises(UserError, match=f"{name} has .*class"):
        start.require_safe(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, os.pathsep)  # beside the class is not in it
    start.require_safe(folder)


@pytest.mark.parametrize("of", ["the project", "Python"])
def test_the_place_of_python_and_of_this_project_may_be_below_a_class(of, monkeypatch, tmp_path):
    place = paths.ROOT
    if of == "Python":
        place = tmp_path / "python"
        monkeypatch.setattr(sys, "prefix", str(place))
    monkeypatch.setattr(sys, "path", [str(place / "lib")])
    for name in start._FOLDERS:  # OpenCV adds the current folder to one
        monkeypatch.delenv(name, raising=False)
    start.require_safe(place.parent)


# From inside a real submission

TRIED = """
import ctypes, fcntl, mmap, os, resource, signal, socket, subprocess, sys, threading
import multiprocessing, multiprocessing.shared_memory, pty, shutil, tempfile, time
libc = ctypes.CDLL(None, use_errno=True)
shared, grader, place = os.__file__, os.getppid(), os.getcwd()
handle = os.open(shared, os.O_RDONLY)
def call(number, *words):
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, words)) < 0:
        raise OSError(ctypes.get_errno(), 'call')
def write(path):
    with open(path, 'w') as file: file.write('0')
def in_a_thread(do):
    said = []
    def run():
        try: do()
        except BaseException: said.append(1)
    thread = threading.Thread(target=run); thread.start(); thread.join()
    if said: raise OSError
def linked():
    os.symlink(os.path.dirname(os.path.dirname(place)), 'way')
    os.listdir('way')
TRIES = {
    'lease': lambda: fcntl.fcntl(handle, 1024, 0),
    'lease_thread': lambda: in_a_thread(lambda: fcntl.fcntl(handle, 1024, 0)),
    'notify': lambda: fcntl.fcntl(handle, 1026, 2),
    'lock': lambda: fcntl.flock(handle, fcntl.LOCK_SH),
    'lockf': lambda: fcntl.lockf(handle, fcntl.LOCK_SH),
    'ofd': lambda: fcntl.fcntl(handle, 37, bytes(32)),
    'owner': lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, grader),
    'flags': lambda: fcntl.ioctl(handle, 0x40086602, bytes(8)),
    'shm': lambda: multiprocessing.shared_memory.SharedMemory('knock_x', True, 99),
    'semaphore': lambda: multiprocessing.Lock(),
    'process': lambda: multiprocessing.get_context('fork').Process(target=int).start(),
    'spawn': lambda: os.posix_spawn('/bin/true', ['true'], {}),
    'program': lambda: subprocess.run(['/bin/true']),
    'exec': lambda: os.execv('/bin/true', ['true']),
    'fork': os.fork,
    'terminal': lambda: os.fdopen(pty.openpty()[0]),
    'pair': socket.socketpair,
    'socket': lambda: socket.socket(socket.AF_UNIX),
    'kernel_socket': lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    'memfd': lambda: os.memfd_create('x'),
    'session': os.setsid,
    'group': lambda: os.setpgid(0, 0),
    'nice': lambda: os.nice(1),
    'kill': lambda: os.kill(grader, 0),
    'kill_group': lambda: os.killpg(os.getpgid(grader), 0),
    'queue': lambda: signal.pidfd_send_signal(os.pidfd_open(grader), 0),
    'pidfd': lambda: os.pidfd_open(grader),
    'cpus': lambda: os.sched_setaffinity(grader, {0}),
    'limits': lambda: resource.prlimit(grader, resource.RLIMIT_NOFILE),
    'files': lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999)),
    'many_files': lambda: [os.dup(handle) for _ in range(1100)],
    'user': lambda: os.setuid(1),
    'root': lambda: os.chroot(place),
    'mode': lambda: os.chmod(shared, 0o777),
    'my_mode': lambda: os.chmod('.', 0),
    'time': lambda: os.utime(shared),
    'attribute': lambda: os.setxattr(shared, 'user.x', b'x'),
    'truncate': lambda: os.truncate(shared, 0),
    'emptied': lambda: os.open(shared, os.O_RDONLY | os.O_TRUNC),
    'rename': lambda: os.rename(shared, 'x'),
    'remove': lambda: os.remove(shared),
    'link': lambda: os.link(shared, 'x'),
    'fifo': lambda: os.mkfifo('fifo'),
    'up': lambda: os.listdir('..'),
    'link_up': linked,
    'up_file': lambda: write('../x'),
    'tmp': lambda: os.listdir('/tmp'),
    'tmp_file': lambda: write('/tmp/knock_x'),
    'shm_file': lambda: write('/dev/shm/knock_x'),
    'home': lambda: os.listdir('/root' if os.getuid() == 0 else '/home'),
    'oom': lambda: write('/proc/self/oom_score_adj'),
    'name': lambda: write('/proc/self/comm'),
    'own_memory': lambda: open('/proc/self/mem', 'r+b'),
    'grader': lambda: open(f'/proc/{grader}/environ').read(),
    'init': lambda: open('/proc/1/cmdline').read(),
    'mounts': lambda: open(f'/proc/{grader}/mountinfo').read(),
    'sysrq': lambda: write('/proc/sysrq-trigger'),
    'kernel': lambda: write('/proc/sys/vm/drop_caches'),
    'large': lambda: os.posix_fallocate(os.open('l', os.O_RDWR | os.O_CREAT), 0, 65 << 20),
    'unshare': lambda: call(272, 0x20000),
    'own_table': lambda: in_a_thread(lambda: call(436, 3, 4, 2)),
    'watch': lambda: call(294, 0),
    'ring': lambda: call(425, 8, 0),
    'undying': lambda: call(157, 1, 0),
    'unseen': lambda: call(157, 4, 0),
    'x32': lambda: call(0x40000000 + 57),
}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
done = []
for name, attack in TRIES.items():
    try: attack()
    except Exception: continue
    done.append(name)
raise ValueError(f'{len(TRIES)} tried, done: {done}')
"""


@needs_walls
@x86
@pytest.mark.skipif(FRAMEWORK is None, reason="no framework is installed")
def test_what_a_submission_tries_is_refused():
    found = graded(planted(TRIED.strip()))
    assert found.walls == list(sandbox.ALL)
    assert "66 tried, done: []" in part(found, LOST).message
    assert [one.status for one in found.parts if one.name != LOST] == ["done"] * (len(PARTS) - 1)
    assert graded(RIGHT).whole
    grading.close()
