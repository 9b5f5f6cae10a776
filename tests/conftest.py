"""What all tests share: one CPU thread, no window, no data folder of the person who runs them."""

import os

# Before any framework is imported: two threads on a busy machine stall, and change sums.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("KNOCK_DATA", None)
