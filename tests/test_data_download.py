"""Downloads from a server of our own: mirrors, resuming, digests, and every way to fail."""

import errno
import hashlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from knock import data
from knock.data import cifar10, idx, mirrors
from knock.data.mirrors import Remote, fetch
from knock.errors import UserError
from tests import data_fixtures as made

import pytest

CONTENT = made.RNG.bytes(300_000)
FILE = Remote("file.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files`; the first folder of the address says how it behaves."""

    def do_GET(self):
        _, how, name = self.path.split("/", 2)
        asked = self.headers["Range"]
        self.server.asked.append((how, asked))
        content = self.server.files.get(name)
        if content is None or how == "gone":
            self.send_error(404)
            return
        if how == "endless":
            self.send_endlessly()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if how != "plain" and asked else 0
        if how == "other":
            content = bytes(len(content))
        if how == "longer":
            content = content + b"more"
        self.send_response(206 if how != "plain" and asked else 200)
        if how != "plain":
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        body = content[start:]
        if how == "slow":
            self.server.slow.wait(10)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how == "breaks" else body)

    def send_endlessly(self):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(2_000):
                self.wfile.write(bytes(100_000))
                self.server.sent += 100_000
        except OSError:
            pass  # the client is gone, as it should be

    def log_message(self, *arguments):
        """The tests' output is not a server's log."""


@pytest.fixture
def server():
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.files, found.asked, found.sent = {FILE.file: CONTENT}, [], 0
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """The data folder; and no proxy of this machine comes between us and our own server."""
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "home" / "downloads" / "set"


def address(server, *how: str) -> list[str]:
    return [f"http://127.0.0.1:{server.server_port}/{one}/" for one in how]


def nobody() -> str:
    """The address of a port on which nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        return f"http://127.0.0.1:{closed.server_port}/good/"


def test_a_file_is_fetched_once(server, home):
    for _ in range(2):
        path = fetch(FILE, "set", address(server, "good"))
        assert path == home / "file.bin" and path.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert [one.name for one in home.iterdir()] == ["file.bin"]


def test_two_that_fetch_at_once_share_one_download(server, home, capsys):
    """Each waits for the other: nothing is fetched twice, and no server is blamed."""
    server.slow = threading.Event()
    with ThreadPoolExecutor(2) as both:
        first = both.submit(fetch, FILE, "set", address(server, "slow"))
        while not server.asked:
            time.sleep(0.005)
        second = both.submit(fetch, FILE, "set", address(server, "slow"))
        time.sleep(0.05)
        server.slow.set()
        assert first.result() == second.result() == home / "file.bin"
    assert (home / "file.bin").read_bytes() == CONTENT and len(server.asked) == 1
    assert capsys.readouterr().err == "waiting for another process that downloads set\n"
    assert [one.name for one in home.iterdir()] == ["file.bin"]


def test_where_folders_have_no_locks_each_has_a_half_file_of_its_own(server, home, monkeypatch):
    def none(handle, how):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", none)
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(b"another's")
    assert fetch(FILE, "set", address(server, "good")).read_bytes() == CONTENT
    assert (home / "file.bin.part").read_bytes() == b"another's"


def test_a_part_is_continued(server, home):
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(CONTENT[:100_000])
    assert fetch(FILE, "set", address(server, "good")).read_bytes() == CONTENT
    assert server.asked == [("good", "bytes=100000-")]


def test_a_server_without_ranges_sends_everything(server, home):
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(CONTENT[:100_000])
    assert fetch(FILE, "set", address(server, "plain")).read_bytes() == CONTENT


def test_a_broken_connection_is_continued_by_the_next_mirror(server):
    assert fetch(FILE, "set", address(server, "breaks", "good")).read_bytes() == CONTENT
    assert server.asked == [("breaks", "bytes=0-"), ("good", "bytes=150000-")]


def test_what_a_broken_connection_left_is_used_next_time(server, home):
    with pytest.raises(UserError, match="was lost"):
        fetch(FILE, "set", address(server, "breaks"))
    assert not (home / "file.bin").exists()
    assert (home / "file.bin.part").read_bytes() == CONTENT[:150_000]
    fetch(FILE, "set", address(server, "good"))
    assert server.asked[-1] == ("good", "bytes=150000-")


def test_a_whole_part_needs_no_connection(server, home):
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(CONTENT)
    assert fetch(FILE, "set", [nobody()]).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [bytes(100_000), bytes(300_000), bytes(400_000)])
def test_after_a_wrong_part_the_next_mirror_is_tried(server, home, part):
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(part)
    assert fetch(FILE, "set", address(server, "good", "good")).read_bytes() == CONTENT


def test_mirrors_are_asked_in_turn(server):
    homes = [nobody(), *address(server, "gone", "other", "longer", "good")]
    assert fetch(FILE, "set", homes).read_bytes() == CONTENT
    assert [how for how, _ in server.asked] == ["gone", "other", "longer", "good"]


def test_a_page_in_the_file_s_place_leaves_the_part_as_it_was(server, home):
    home.mkdir(parents=True)
    (home / "file.bin.part").write_bytes(CONTENT[:100_000])
    server.files["file.bin"] = b"<html>Please log in</html>"
    with pytest.raises(UserError, match="a different file"):
        fetch(FILE, "set", address(server, "plain"))
    assert (home / "file.bin.part").read_bytes() == CONTENT[:100_000]


def test_an_endless_answer_is_cut_off(server, home):
    with pytest.raises(UserError, match="a different file"):
        fetch(FILE, "set", address(server, "endless"))
    assert server.sent < 100_000_000
    assert (home / "file.bin.part").stat().st_size <= FILE.size


def test_no_mirror_left_is_one_line_that_says_what_to_do(server, home, tmp_path):
    with pytest.raises(UserError) as caught:
        fetch(FILE, "set", [nobody(), *address(server, "gone", "other")])
    message = str(caught.value)
    assert "\n" not in message and "file.bin of set" in message
    assert "no connection" in message and "404" in message and "a different file" in message
    assert str(tmp_path / "home" / "set") in message
    assert not (home / "file.bin").exists()


def test_a_silent_server_is_given_up_quickly(monkeypatch):
    monkeypatch.setattr(mirrors, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        home = f"http://127.0.0.1:{silent.getsockname()[1]}/good/"
        start = time.monotonic()
        with pytest.raises(UserError, match="does not answer"):
            fetch(FILE, "set", [home])
        assert time.monotonic() - start < 5


def test_a_downloaded_file_that_is_wrong_is_fetched_again(server, home):
    home.mkdir(parents=True)
    (home / "file.bin").write_bytes(CONTENT[:-1] + b"x")
    assert fetch(FILE, "set", address(server, "good")).read_bytes() == CONTENT


def test_a_downloaded_file_that_is_wrong_is_never_used(server, home):
    home.mkdir(parents=True)
    (home / "file.bin").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError):
        fetch(FILE, "set", [nobody()])


def test_a_full_disk_is_reported(server, monkeypatch):
    def full(self, response, have):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mirrors.Resuming, "_write", full)
    with pytest.raises(UserError, match="No space left on device; make room there") as caught:
        fetch(FILE, "set", address(server, "good", "good"))
    assert "\n" not in str(caught.value)
    assert len(server.asked) == 1  # another mirror would not help


def test_a_folder_that_cannot_be_written_is_reported(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot store file.bin"):
        fetch(FILE, "set", address(server, "good"))


def test_mnist_is_downloaded_and_read(server, monkeypatch, tmp_path):
    made.write_idx(tmp_path / "served")
    served = {path.name: path.read_bytes() for path in (tmp_path / "served").iterdir()}
    server.files.update(served)
    files = {
        name.removesuffix(".gz"): Remote(name, len(body), hashlib.sha256(body).hexdigest())
        for name, body in served.items()
    }
    published = replace(
        idx.PUBLISHED["mnist"], files=files, homes=tuple(address(server, "gone", "good"))
    )
    monkeypatch.setitem(idx.PUBLISHED, "mnist", published)
    assert idx.where(published) is None
    assert len(idx.load(published, (1, 32, 32), "train")) == 12
    assert idx.where(published) is None  # the test split is not here yet
    folder = idx.download(published)
    assert idx.where(published) == folder == tmp_path / "home" / "downloads" / "mnist"
    before = len(server.asked)
    assert len(idx.load(published, (1, 32, 32), "test")) == 12
    assert len(server.asked) == before


def test_cifar_is_downloaded_and_read(server, monkeypatch, tmp_path):
    archive = made.write_cifar_archive(tmp_path / "a.tar.gz", made.write_cifar(tmp_path / "bins"))
    body = archive.read_bytes()
    remote = Remote("cifar-10-binary.tar.gz", len(body), hashlib.sha256(body).hexdigest())
    server.files[remote.file] = body
    monkeypatch.setattr(cifar10, "ARCHIVE", remote)
    monkeypatch.setattr(cifar10, "HOMES", tuple(address(server, "good")))
    assert cifar10.where() is None
    assert len(data.load("cifar10", (3, 32, 32), "train")) == 20
    assert cifar10.where() == data.download("cifar10")
    assert len(server.asked) == 1


def test_own_files_need_no_network(monkeypatch, tmp_path):
    made.write_idx(tmp_path / "home" / "mnist")
    monkeypatch.setattr(idx, "fetch", lambda *_: pytest.fail("asked the network"))
    assert len(data.load("mnist", (1, 32, 32))) == 12


def test_every_published_file_is_pinned():
    remotes = [remote for one in idx.PUBLISHED.values() for remote in one.files.values()]
    for remote in [*remotes, cifar10.ARCHIVE]:
        assert len(remote.sha256) == 64 and int(remote.sha256, 16) and remote.size > 0
    assert len({remote.sha256 for remote in remotes}) == 8
