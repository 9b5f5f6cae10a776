"""Settings of the process that trains: what its libraries would do costs time at every step."""

import ctypes
import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in malloc.h
_LARGEST = 32 << 20  # bytes; the C library accepts no more
_KEPT = 256 << 20  # bytes


def cores() -> int:
    """The cores that this process may use: of a container no more than its share."""
    if hasattr(os, "sched_getaffinity"):  # Linux: the CPU set
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    granted = _quota(_CGROUPS)
    return count if granted == math.inf else max(1, min(count, math.ceil(granted)))


def _quota(folder: Path) -> float:
    """The cores' worth of time that control groups grant; infinite where they set no limit.

    Within a container its own group is the root of `/sys/fs/cgroup`. Version 2 has both numbers,
    microseconds of computing and of the period, in one file, version 1 each in one.
    """
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text().strip()
        granted = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # none, or "max"
        return math.inf
    return granted if granted > 0 else math.inf


def prepare() -> None:
    """Make batches cheap for this whole process."""
    _keep_freed()
    _one_thread_per_picture()


def _keep_freed() -> None:
    """Let the C library keep the memory of freed arrays; does nothing where it cannot.

    Otherwise it gives large ones back to the system at once and gets them again page by page, each
    filled with zeros: up to 4 ms of processor time per step were measured.
    """
    mallopt = getattr(ctypes.pythonapi, "mallopt", None)  # the GNU C library's, hence Linux
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def _one_thread_per_picture() -> None:
    """Let OpenCV change a picture in the thread that asks for it.

    Its own threads would share each small picture, and take 2.7 times the processor time that way.
    """
    import cv2

    cv2.setNumThreads(1)
