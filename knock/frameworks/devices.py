"""Which device the words of `--device` mean, and the one line where there is no such device."""

from knock.errors import UserError

_INSTEAD = "use --device cpu, or see knock doctor --devices"


def cuda_index(device: str, count: int, title: str, without: str = "") -> int | None:
    """The number of the CUDA device to use, from 0; None for the CPU.

    `device` is "auto" (the first, where there is one), "cpu", "cuda", or "cuda:N"; `count` says how
    many the framework called `title` finds, `without` what it may lack if these are none. Raises
    UserError if there is no such device, and for "mps", which only PyTorch can use.
    """
    if device == "mps":
        raise UserError(f"{title} cannot use an Apple GPU (mps), only PyTorch can; {_INSTEAD}")
    if device == "cpu" or (device == "auto" and not count):
        return None
    index = int(device.partition(":")[2] or 0)
    if not count:
        raise UserError(f"{title} finds no CUDA device here{without}; {_INSTEAD}")
    if index >= count:
        known = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise UserError(f"{title} finds no cuda:{index} here, only {known}; {_INSTEAD}")
    return index


def require_mps(available: bool, dtype: str) -> None:
    """Raise UserError if there is no Apple GPU, or it shall compute in float64."""
    if not available:
        raise UserError(f"PyTorch finds no Apple GPU (mps) here; {_INSTEAD}")
    if dtype == "float64":
        raise UserError("an Apple GPU (mps) has no float64; use --dtype float32 or --device cpu")
