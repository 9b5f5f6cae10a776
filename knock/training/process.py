"""Settings of the process that trains: what its libraries would do costs time at every step."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in malloc.h
_LARGEST = 32 << 20  # bytes; the C library accepts no more
_KEPT = 256 << 20  # bytes


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
