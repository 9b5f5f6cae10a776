"""Fetch published files: try the mirrors in turn, compare digests, continue broken downloads.

pooch compares digests and puts a finished file in place in one move. It cannot continue a broken
download: `Resuming` below does that.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from knock.data import places
from knock.errors import UserError
from knock.files import lock_of

if TYPE_CHECKING:
    import requests

TIMEOUT = (10.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes of an open one."""

CHUNK = 1 << 16


@dataclass(frozen=True)
class Remote:
    """A published file: its name, its length in bytes, and its digest."""

    file: str
    size: int
    sha256: str


def fetch(remote: Remote, name: str, homes: Sequence[str]) -> Path:
    """The downloaded `remote` of the set `name`; `homes` are the addresses of folders to try.

    A file that is already here and right is returned without any connection; a wrong one is fetched
    again. Raises UserError if no server sends the right file, or it cannot be written.
    """
    import pooch
    import requests
    import urllib3

    pooch.get_logger().setLevel("WARNING")  # its own messages would mix with ours
    places.require()
    folder = places.downloads(name, remote.file)
    failures = []
    for home in homes:
        try:
            with _alone(folder, remote, name) as part:
                path = pooch.retrieve(
                    home + remote.file,
                    known_hash=f"sha256:{remote.sha256}",
                    fname=remote.file,
                    path=folder,
                    downloader=Resuming(remote, folder / part),
                )
            return Path(path)
        # requests' exceptions are OSErrors too, so they must be caught before those of the disk
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            failures.append(f"{urlsplit(home).netloc}: {_reason(error)}")
        except OSError as error:
            raise UserError(
                f"cannot store {remote.file} of {name} in {folder}: {error.strerror or error}; "
                f"make room there or set {places.VARIABLE} to another folder"
            ) from None
    raise UserError(
        f"cannot download {remote.file} of {name} ({'; '.join(failures)}); try again later, or "
        f"put all files of the set in {places.by_hand(name)}"
    )


@contextlib.contextmanager
def _alone(folder: Path, remote: Remote, name: str) -> Iterator[str]:
    """The name of the half file, which no other process writes meanwhile.

    Another one that fetches the set is waited for; then the file is there. Where a folder cannot be
    locked, each process has a half file of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part, own = f"{remote.file}.part", f"{remote.file}.{os.getpid()}.part"
    with lock_of(folder) as take:
        if take is None:
            part = own
        else:
            try:
                if not take():
                    print(f"waiting for another process that downloads {name}", file=sys.stderr)
                    take(wait=True)
            except OSError:  # some network file systems have no locks
                part = own
        yield part


class Resuming:
    """A downloader for pooch that keeps what it has in `part` and asks a server for the rest.

    A server that does not support ranges sends everything, which replaces the part. If the file
    changed between the two halves, its digest shows it.
    """

    def __init__(self, remote: Remote, part: Path) -> None:
        self.remote = remote
        self.part = part

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Leave the file at `output_file`. Raises what requests, urllib3 and the disk raise."""
        if self._have() < self.remote.size:
            self._get(url)
        os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _get(self, url: str) -> None:
        import requests

        have = self._have()
        # "identity": a server must not compress the file once more
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status_code != requests.codes.partial_content or not goes_on:
                have = 0
            length = response.headers.get("Content-Length")
            if length is not None and int(length) != self.remote.size - have:
                # for example, a login page: it must not become the beginning of the file
                raise ValueError("not as long as the published file")
            self._write(response, have)
        if self._have() < self.remote.size:
            raise requests.ConnectionError("the connection was lost")

    def _write(self, response: "requests.Response", have: int) -> None:
        from tqdm import tqdm

        with (
            open(self.part, "ab" if have else "wb") as file,
            # disable=None: no bar if standard error is not a terminal
            tqdm(
                desc=self.remote.file,
                total=self.remote.size,
                initial=have,
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar,
        ):
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                have += len(chunk)
                if have > self.remote.size:
                    raise ValueError("longer than the published file")
                file.write(chunk)
                bar.update(len(chunk))


def _reason(error: Exception) -> str:
    """Why a server was given up, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "does not answer"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "sends a different file from the published one"
    return "no connection, or it was lost"
