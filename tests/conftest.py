"""What all tests share: one CPU thread, no window, no data folder of the person who runs them."""

import os
import signal

# Before any framework is imported: two threads on a busy machine stall, and change sums.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("KNOCK_DATA", None)

# A shell starts a job in the background with Ctrl-C ignored, and so would be every program that the
# tests start, those that are sent one among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
