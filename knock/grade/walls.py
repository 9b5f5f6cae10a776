"""The walls around a process that runs somebody else's code: put up by itself, never taken down.

On Linux the kernel holds them: `RLIMIT_*` for memory and computing time, Landlock for files, a
seccomp filter for other processes and the network. None of them needs a privilege. Elsewhere only
those of the first kind stand, where the system has them. They are for carelessness and mischief;
whoever expects more of a submission than that grades on a machine that holds no secret.

There is no library for it without parts of the system that may be missing (libseccomp, bubblewrap),
so the system calls are made here. Sources: landlock(7), seccomp(2), and the kernel's system call
tables for x86-64 and for the generic numbering that AArch64 has.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform == "linux"

MEMORY, TIME, FILES, PROCESSES, NETWORK = "memory", "time", "files", "processes", "network"
ALL = (MEMORY, TIME, FILES, PROCESSES, NETWORK)

_LARGEST_FILE = 64 << 20
"""Bytes: far more than an answer writes while it is checked."""


@dataclass(frozen=True)
class Limits:
    """What one process may use: seconds of computing, and bytes beside what it has already."""

    seconds: int
    memory: int


def put_up(limits: Limits, readable: Iterable[Path], scratch: Path) -> list[str]:
    """Fence the process in that calls this, and all that it may start; which walls stand then.

    It may read what lies under `readable` and write under `scratch` only. It must have one thread.
    """
    stand = []
    if _limit_memory(limits.memory):
        stand.append(MEMORY)
    if _limit_time(limits.seconds):
        stand.append(TIME)
    if LINUX and _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        if _fence_files(readable, scratch):
            stand.append(FILES)
        if _filter_calls():
            stand += [PROCESSES, NETWORK]
    return stand


def _limit_memory(more: int) -> bool:
    """Only Linux holds a process to the size of its address space."""
    if not LINUX:
        return False
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + more)
    return True


def _limit_time(seconds: int) -> bool:
    """And what comes with it: no dump of a crash, no file that fills the disk."""
    if os.name != "posix":
        return False
    import resource

    _limit(resource.RLIMIT_CPU, seconds, 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _LARGEST_FILE)
    return True


def _limit(which: int, value: int, grace: int = 0) -> None:
    """Set a limit, hard and soft; the hard one may be `grace` higher, never higher than it was."""
    import resource

    _, hard = resource.getrlimit(which)
    wanted = value + grace
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(which, (min(value, wanted), wanted))


# Landlock: the files

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_NO_NEW_PRIVILEGES = 38
_PATH_BENEATH = 1

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_SINCE = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access a version of Landlock knows; each is a bit."""
_FOR_A_FILE = _EXECUTE | _WRITE | _READ | 1 << 14 | 1 << 15  # and to truncate, and ioctl

_ABSTRACT_SOCKETS, _SIGNALS = 1, 2

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/nix", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ABOUT = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm")


def _fence_files(readable: Iterable[Path], scratch: Path) -> bool:
    """Let the process open nothing but what Python and the frameworks need, and its scratch."""
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    every = (1 << max(bits for since, bits in _SINCE.items() if since <= version)) - 1
    scoped = _ABSTRACT_SOCKETS | _SIGNALS if version >= 6 else 0
    attributes = struct.pack("QQQ", every, 0, scoped)  # TCP is left to the filter of calls
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        return False
    try:
        reading = _READ | _LIST | _EXECUTE
        for path in (*map(Path, _SYSTEM + _ABOUT), *readable):
            _allow(rules, path, reading)
        for path in map(Path, _DEVICES):
            _allow(rules, path, _READ | _WRITE)
        _allow(rules, scratch, every)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, access: int) -> None:
    """Allow some kinds of access to all that lies under a path, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not path.is_dir():
                access &= _FOR_A_FILE
            rule = struct.pack("=Qi", access, handle)
            if _libc().syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
                raise OSError(ctypes.get_errno(), f"Landlock refuses {path}")
        finally:
            os.close(handle)


# seccomp: other processes, and the network

_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOWED, _REFUSED, _KILLED = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in seccomp_data
_A_THREAD = 0x00010000  # CLONE_THREAD
_OTHER_NUMBERS = 0x40000000  # x32 on x86-64


@dataclass(frozen=True)
class _Machine:
    """An architecture's number, and those of its system calls."""

    audit: int
    clone: int
    refused: Collection[int]
    """fork, vfork, execve, execveat; socket; ptrace, kill, tkill, rt_sigqueueinfo,
    rt_tgsigqueueinfo; process_vm_readv and writev; unshare, setns, mount; shmget, bpf,
    perf_event_open, userfaultfd."""
    own_only: Collection[int]
    """tgkill and prlimit64, allowed for the process itself."""


_SAME_EVERYWHERE = (424, 425, 434, 438)  # pidfd_send_signal, io_uring_setup, pidfd_open and getfd
_CLONE3 = 435
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        56,
        (57, 58, 59, 322, 41, 101, 62, 200, 129, 297, 310, 311, 272, 308, 165, 29, 321, 298, 323),
        (234, 302),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        220,
        (221, 281, 198, 117, 129, 130, 138, 240, 270, 271, 97, 268, 40, 194, 280, 241, 282),
        (131, 261),
    ),
}


def _filter_calls() -> bool:
    """Refuse the calls that start or reach another process, and those that open a socket.

    A thread may still be begun: `clone3` hides its flags from a filter, so it is said not to be
    there, and the C library takes `clone` in its place.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = _program(machine)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    return bool(_libc().prctl(_SECCOMP, _FILTER, filters, 0, 0) == 0)


def _program(machine: _Machine) -> list[tuple[int, int, int, int]]:
    """The filter, as instructions: code, steps over where it is true, where it is not, a number."""
    refuse = (_RETURN, 0, 0, _REFUSED | _EPERM)
    found = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILLED),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_NUMBERS),
        refuse,
    ]
    for number in (*machine.refused, *_SAME_EVERYWHERE):
        found += [(_EQUAL, 0, 1, number), refuse]
    found += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSED | _ENOSYS)]
    argument = (_LOAD, 0, 0, _FIRST_ARGUMENT)  # its lower half: both machines are little-endian
    allow = (_RETURN, 0, 0, _ALLOWED)
    found += [(_EQUAL, 0, 4, machine.clone), argument, (_ANY_BIT, 0, 1, _A_THREAD), allow, refuse]
    for number in machine.own_only:
        found += [(_EQUAL, 0, 5, number), argument]
        found += [(_EQUAL, 1, 0, os.getpid()), (_EQUAL, 0, 1, 0), allow, refuse]
    return [*found, allow]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
