"""When to look at a file again: as soon as something happens in its folder, and every second.

Every second, because nobody is told of a change where the folder is another machine's, or comes
from the host of a container or of WSL; and because polling takes two saves in a second for one.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

from knock.errors import print_error

from watchfiles import watch

SECOND = 1.0


def looks(folder: Path, poll: bool, stop: threading.Event) -> Iterator[None]:
    """Yield whenever it is time to look, until `stop` is set.

    The folder is watched and not the file, which many editors replace by another one. With `poll`
    it is listed three times a second instead of waiting to be told.
    """
    try:
        for _ in watch(
            folder,
            watch_filter=None,
            force_polling=poll or None,  # None: the library knows some places that need it
            rust_timeout=int(SECOND * 1000),
            yield_on_timeout=True,
            stop_event=stop,
            recursive=False,
            raise_interrupt=False,
        ):
            yield
    except (OSError, RuntimeError) as error:  # the folder is gone, or too much is watched already
        print_error(f"{folder} cannot be watched ({error}); its file is looked at every second")
    while not stop.wait(SECOND):
        yield
