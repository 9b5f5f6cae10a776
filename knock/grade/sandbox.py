"""The walls around a process that runs somebody else's code. It builds them itself, for good.

On Linux the kernel enforces them: `RLIMIT_*` for memory and computing time, Landlock for files, a
seccomp filter for system calls, and with them for other processes and the network. None of them
needs a privilege. Other systems have at most the first kind. The walls are against carelessness and
mischief; if you expect worse, grade on a machine that holds no secret.

Every library for this needs parts of the system that may be missing (libseccomp, bubblewrap), so
the system calls are made here. Sources: landlock(7), seccomp(2).
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from knock.check import forks
from knock.grade import calls

LINUX = sys.platform == "linux"

MEMORY, TIME, FILES, PROCESSES, NETWORK = "memory", "time", "files", "processes", "network"
ALL = (MEMORY, TIME, FILES, PROCESSES, NETWORK)

LARGEST_FILE = 64 << 20
"""Bytes: far more than an answer writes during a check."""

_OPEN_FILES = 1024


@dataclass(frozen=True)
class Limits:
    """What one process may use: seconds of computing, and bytes besides what it already has.

    Without `seconds` it limits them itself.
    """

    seconds: int | None
    memory: int


def put_up(
    limits: Limits, readable: Collection[Path], hidden: Collection[Path], scratch: Path | None
) -> list[str]:
    """Build the walls around the calling process and its children. Returns the names of the walls.

    The process may read Python's and the system's folders and those in `readable`, but nothing in a
    `hidden` folder that one of these contains; it may write only into `scratch`, if there is one.
    It must have one thread.
    """
    walls = []
    if _limit_memory(limits.memory):
        walls.append(MEMORY)
    if _limit_time(limits.seconds):
        walls.append(TIME)
    if LINUX and libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        forks.end_with_parent()
        _drop_capabilities()
        if _fence_files(readable, hidden, scratch):
            walls.append(FILES)
        if _filter_calls():
            walls += [PROCESSES, NETWORK]
    return walls


def _limit_memory(more: int) -> bool:
    """Limit the memory. Only Linux enforces a limit on the address space."""
    if not LINUX:
        return False
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + more)
    return True


def _limit_time(seconds: int | None) -> bool:
    """Limit the time, and with it what else the system counts: core dumps, files, open files."""
    if os.name != "posix":
        return False
    import resource

    if seconds is not None:
        _limit(resource.RLIMIT_CPU, seconds, 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)  # the system has room for a number of them in all
    return True


def _limit(which: int, value: int, grace: int = 0) -> None:
    """Set a soft limit, and a hard one that is `grace` higher but never higher than before."""
    import resource

    _, hard = resource.getrlimit(which)
    wanted = value + grace
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(which, (min(value, wanted), wanted))


# The privileges of root

_NO_NEW_PRIVILEGES = 38
_CAPABILITIES = 0x20080522  # the version of the structures
_READ_ALL = 1 << 2  # CAP_DAC_READ_SEARCH


def _drop_capabilities() -> None:
    """Take root's privileges away, except that of reading what others own.

    So Python itself may be in somebody's home. Landlock decides which files can be read.
    """
    header = struct.pack("Ii", _CAPABILITIES, 0)
    held = ctypes.create_string_buffer(24)
    if libc().capget(header, held) == 0:
        permitted = struct.unpack("6I", held.raw)[1] & _READ_ALL
        libc().capset(header, struct.pack("6I", permitted, permitted, 0, 0, 0, 0))


# Landlock: the files

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_PATH_BENEATH = 1

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_SINCE = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access Landlock knows, by its version; each kind is a bit."""
_FOR_A_FILE = _EXECUTE | _WRITE | _READ | 1 << 14 | 1 << 15  # and to truncate, and ioctl

_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/nix", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ABOUT = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm")


def everybodys() -> list[Path]:
    """Folders that every submission can read, since Python and the frameworks are in them."""
    return [*map(Path, _SYSTEM), Path(sys.prefix), Path(sys.base_prefix)]


def _around(folder: Path, hidden: Collection[Path]) -> Iterator[tuple[Path, int]]:
    """What to allow so that all in a folder can be read, except for the hidden folders in it.

    Landlock only adds: a folder above a hidden one cannot be allowed as a whole. Of that, the names
    of the files are allowed, and the folders beside the hidden one, one by one.
    """
    if folder in hidden:
        return
    if not any(one.is_relative_to(folder) for one in hidden):
        yield folder, _READ | _LIST | _EXECUTE
        return
    yield folder, _LIST
    for inside in folder.iterdir():
        if not inside.is_symlink():  # it may lead to the hidden folder; what it shows has a path
            yield from _around(inside, hidden)


def _fence_files(
    readable: Collection[Path], hidden: Collection[Path], scratch: Path | None
) -> bool:
    """Let the process open only what Python and the frameworks need, and its scratch folder."""
    system = libc()
    version = system.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    every = (1 << max(bits for since, bits in _SINCE.items() if since <= version)) - 1
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if version >= 6 else 0
    attributes = struct.pack("QQQ", every, 0, scoped)  # TCP is left to the filter of calls
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = system.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        return False
    try:
        hidden = [one.resolve() for one in hidden]
        for place in (*everybodys(), *map(Path, _ABOUT), *readable):
            for path, access in _around(place.resolve(), hidden):
                _allow(rules, path, access)
        for path in map(Path, _DEVICES):
            _allow(rules, path, _READ | _WRITE)
        if scratch is not None:
            _allow(rules, scratch, every)
        return bool(system.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, access: int) -> None:
    """Allow some kinds of access to a path and all below it, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not path.is_dir():
                access &= _FOR_A_FILE
            rule = struct.pack("=Qi", access, handle)
            if libc().syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
                raise OSError(ctypes.get_errno(), f"Landlock refuses {path}")
        finally:
            os.close(handle)


# seccomp: the system calls

_SECCOMP, _FILTER = 22, 2
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOWED, _REFUSED, _KILLED = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24, 32)  # offsets in seccomp_data
_OTHER_NUMBERS = 0x40000000  # x32 on x86-64

_Instruction = tuple[int, int, int, int]
"""Its code, the steps to skip if it is true, the steps to skip if it is not, and a number."""


def _filter_calls() -> bool:
    """Allow the calls that a check needs, and no others.

    So it starts and reaches no other process, opens no socket, locks and changes no file that it
    has not opened for writing, and leaves nothing that outlives it.
    """
    machine = calls.MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = _program(machine)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    return bool(libc().prctl(_SECCOMP, _FILTER, filters, 0, 0) == 0)


def _program(machine: calls.Machine) -> list[_Instruction]:
    """The filter's instructions."""
    allow, refuse = (_RETURN, 0, 0, _ALLOWED), (_RETURN, 0, 0, _REFUSED | _EPERM)
    unknown = (_RETURN, 0, 0, _REFUSED | _ENOSYS)
    found: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILLED),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_NUMBERS),
        refuse,
    ]
    for number in machine.allowed:
        found += [(_EQUAL, 0, 1, number), allow]
    for number in machine.absent:
        found += [(_EQUAL, 0, 1, number), unknown]
    for number, rule in machine.ruled.items():
        # Its lower half, which is all that these calls look at; both machines are little-endian.
        block: list[_Instruction] = [
            (_LOAD, 0, 0, _ARGUMENTS[rule.argument]),
            (_AND, 0, 0, rule.mask),
        ]
        for value in rule.values:
            wanted = os.getpid() if isinstance(value, str) else value
            block += [(_EQUAL, 0, 1, wanted), allow]
        found += [(_EQUAL, 0, len(block) + 1, number), *block, refuse]
    return [*found, (_AT_LEAST, 0, 1, calls.NEWEST + 1), unknown, refuse]


def libc() -> ctypes.CDLL:
    """The C library, for what Python has no function for; `ctypes.get_errno` has its errors."""
    return ctypes.CDLL(None, use_errno=True)
