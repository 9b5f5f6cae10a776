"""When to look at a file again: as soon as something happens in its folder, and every second.

Every second, because a folder on another machine, or on the host of a container or of WSL, reports
no changes; and because polling sees two saves within a second as one.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

from knock.errors import print_error

from watchfiles import watch

SECOND = 1.0


def looks(folder: Path, poll: bool, stop: threading.Event) -> Iterator[None]:
    """Yield whenever it is time to look, until `stop` is set.

    It watches the folder, not the file, because many editors replace a file by a new one. With
    `poll` it lists the folder three times per second instead of waiting for events.
    """
    try:
        for _ in watch(
            folder,
            watch_filter=None,
            force_polling=poll or None,  # None: the library decides; some folders need polling
            rust_timeout=int(SECOND * 1000),
            yield_on_timeout=True,
            stop_event=stop,
            recursive=False,
            raise_interrupt=False,
        ):
            yield
    except (OSError, RuntimeError) as error:  # the folder is gone, or the system's limit is reached
        print_error(f"{folder} cannot be watched ({error}); its file is read every second")
    while not stop.wait(SECOND):
        yield
