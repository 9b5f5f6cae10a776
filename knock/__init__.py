"""Image Generation Knock: the package that the scripts use, for everything but the lesson."""

import sys
from types import TracebackType

__version__ = "0.1.0"


def _one_line_for_ctrl_c(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("knock: stopped", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# A framework takes seconds to import, and during that time no other code could catch a Ctrl-C.
sys.excepthook = _one_line_for_ctrl_c
