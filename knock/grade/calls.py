"""The system calls that a check needs, for the filter in `sandbox`: all others are refused.

What the four frameworks call was measured. Added to it is what a C library or a Python, older or
newer, may call in their place, where it reaches nothing but the process itself, what it has opened,
and paths, which Landlock decides about. A call that is not here fails with EPERM, as if it were not
permitted; one that is newer than this list, with ENOSYS, as on an older kernel. So a library goes
on with what it does there.

Sources: the kernel's tables of calls for x86-64, and for the generic numbering of AArch64.
"""

from collections.abc import Collection
from dataclasses import dataclass

NEWEST = 470
"""The newest call that has been looked at. From 424 on, all architectures have the same numbers."""

OWN = "the number of the calling process"


@dataclass(frozen=True)
class Rule:
    """One of a call's arguments, of which the bits in `mask` must be one of some values."""

    argument: int
    values: Collection[int | str]
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True)
class Machine:
    """An architecture: its number, and those of the calls that it has.

    `allowed` are free; of the calls in `ruled` only some are; `absent` are said not to exist.
    """

    audit: int
    allowed: list[int]
    ruled: dict[int, Rule]
    absent: list[int]


# The name of each call, and its number on x86-64 and on AArch64.

_OPEN = """
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68,
    preadv 295 69, pwritev 296 70, preadv2 327 286, pwritev2 328 287, lseek 8 62, close 3 57,
    dup 32 23, dup2 33 -, dup3 292 24, sendfile 40 71, copy_file_range 326 285, fstat 5 80,
    ftruncate 77 46, fsync 74 82, fdatasync 75 83, getdents 78 -, getdents64 217 61,
    fchdir 81 50, fstatfs 138 44, fgetxattr 193 10, flistxattr 196 13
"""
"""What is done with a file that is open."""

_PATHS = """
    stat 4 -, lstat 6 -, newfstatat 262 79, statx 332 291, statfs 137 43, access 21 -,
    faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78, getcwd 79 17,
    chdir 80 49, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35,
    rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -,
    symlinkat 266 36, getxattr 191 8, lgetxattr 192 9, listxattr 194 11, llistxattr 195 12,
    getxattrat 464 464, listxattrat 465 465, umask 95 166
"""
"""What only looks, and what Landlock decides about."""

_WAITING = """
    pipe 22 -, pipe2 293 59, eventfd 284 -, eventfd2 290 19, poll 7 -, ppoll 271 73,
    select 23 -, pselect6 270 72, epoll_create 213 -, epoll_create1 291 20, epoll_ctl 233 21,
    epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, pause 34 -, alarm 37 -,
    getitimer 36 102, setitimer 38 103, nanosleep 35 101, clock_nanosleep 230 115,
    sched_yield 24 124, restart_syscall 219 128, wait4 61 260, waitid 247 95
"""
"""Threads wait, and wake each other."""

_MEMORY = """
    mmap 9 222, munmap 11 215, mprotect 10 226, mremap 25 216, brk 12 214, madvise 28 233,
    msync 26 227, mincore 27 232, membarrier 324 283, mbind 237 235, get_mempolicy 239 236,
    set_mempolicy 238 237, set_mempolicy_home_node 450 450, map_shadow_stack 453 453,
    mseal 462 462
"""

_THREADS = """
    futex 202 98, futex_waitv 449 449, futex_wake 454 454, futex_wait 455 455,
    futex_requeue 456 456, set_tid_address 218 96, set_robust_list 273 99, rseq 334 293,
    gettid 186 178, exit 60 93, exit_group 231 94, rt_sigaction 13 134, rt_sigprocmask 14 135,
    rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigsuspend 130 133,
    rt_sigtimedwait 128 137, sigaltstack 131 132, arch_prctl 158 -
"""

_ASKING = """
    getpid 39 172, getppid 110 173, getpgrp 111 -, getpgid 121 155, getsid 124 156,
    getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148,
    getresgid 120 150, getgroups 115 158, getpriority 140 141, getrlimit 97 163,
    setrlimit 160 164, getrusage 98 165, times 100 153, time 201 -, gettimeofday 96 169,
    clock_gettime 228 113, clock_getres 229 114, getcpu 309 168, uname 63 160, sysinfo 99 179,
    getrandom 318 278, sched_getaffinity 204 123, sched_getattr 315 275,
    sched_getparam 143 121, sched_getscheduler 145 120, sched_get_priority_max 146 125,
    sched_get_priority_min 147 126, sched_rr_get_interval 148 127
"""
"""What a process asks about itself and the machine; its own limits it can only lower."""

_RULED = """
    open 2 -, openat 257 56, fcntl 72 25, ioctl 16 29, fallocate 285 47, close_range 436 436,
    clone 56 220, prctl 157 167, tkill 200 130, tgkill 234 131, prlimit64 302 261,
    sched_setaffinity 203 122, sched_setparam 142 118, sched_setscheduler 144 119,
    sched_setattr 314 274
"""
"""Calls of which only a part is allowed."""

_ABSENT = "clone3 435 435, openat2 437 437"
"""Calls that keep their flags where no filter sees them: libraries know how to do without."""

# Before Linux 6.2, Landlock does not see that a file opened to be read is emptied (O_TRUNC).
_FLAGS, _EMPTIED = 0o1003, 0o1000
_NOT_EMPTIED = (0, 1, 2, 1 | _EMPTIED, 2 | _EMPTIED)

_DESCRIPTORS = (0, 1, 2, 3, 4, 1030, 1032)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ: no locks, no leases,
no signals, no notes for others about a file."""

_TERMINALS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: Python asks whether a file is
a terminal, and says whether a program that it starts would get it."""

_NAMES = (15, 16, 0x53564D41, 3, 23, 39, 41, 42, 51)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names for threads and memory), PR_GET_DUMPABLE,
PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_SVE_GET_VL."""

_A_THREAD = 0x3D0F00
"""CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _SETTLS, _PARENT_SETTID and _CHILD_CLEARTID:
what C libraries start a thread with. It shares all with the others, its open files, too."""
_NO_MATTER = 0xFFFFFFFF & ~0x400000  # CLONE_DETACHED, which does nothing any more

_RULES = {
    "open": Rule(1, _NOT_EMPTIED, _FLAGS),
    "openat": Rule(2, _NOT_EMPTIED, _FLAGS),
    "fcntl": Rule(1, _DESCRIPTORS),
    "ioctl": Rule(1, _TERMINALS),
    "fallocate": Rule(1, (0,)),  # others pass by the limit of a file's size
    "close_range": Rule(2, (0, 4)),  # not CLOSE_RANGE_UNSHARE
    "clone": Rule(0, (_A_THREAD,), _NO_MATTER),
    "prctl": Rule(0, _NAMES),
    "tkill": Rule(0, (OWN,)),
    "tgkill": Rule(0, (OWN,)),
    **{
        name: Rule(0, (0, OWN))
        for name in (
            *("prlimit64", "sched_setaffinity"),
            *("sched_setparam", "sched_setscheduler", "sched_setattr"),
        )
    },
}


def _numbers(column: int, *tables: str) -> dict[str, int]:
    rows = (row.split() for table in tables for row in table.split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def _machine(audit: int, column: int) -> Machine:
    free = _numbers(column, _OPEN, _PATHS, _WAITING, _MEMORY, _THREADS, _ASKING)
    ruled = {number: _RULES[name] for name, number in _numbers(column, _RULED).items()}
    return Machine(audit, [*free.values()], ruled, [*_numbers(column, _ABSENT).values()])


MACHINES = {"x86_64": _machine(0xC000003E, 1), "aarch64": _machine(0xC00000B7, 2)}
