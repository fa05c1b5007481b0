"""Data sets: what comes back, and what happens when files are missing, wrong, cut short or cannot be stored.

No test leaves this machine: downloads are served from loopback.
"""

import errno
import hashlib
import io
import os
import shlex
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from helpers import data, downloads

SENTENCE = data.GUTENBERG["communist_manifesto"].sentence
BODY = f"A {SENTENCE}.\n" + "All the Powers of old Europe have entered.\n" * 1600
FRAMED = (
    "\ufeffThe Project Gutenberg eBook\n\n*** START OF THE PROJECT GUTENBERG EBOOK THE COMMUNIST\nMANIFESTO ***\n\n\n"
    f"{BODY}\n\n*** END OF THE PROJECT GUTENBERG EBOOK THE COMMUNIST MANIFESTO ***\nLicence\n"
)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty data root that does not exist yet; every download goes to a closed port unless a test says otherwise."""
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(data, "CIFAR10_URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    monkeypatch.setattr(data, "GUTENBERG_URL", "http://127.0.0.1:9/pg{id}.txt")
    return tmp_path / "root"


@pytest.fixture
def serve(monkeypatch):
    """Serve ``content`` at every address of loopback, ``announced`` bytes long; returns the list of requests.

    ``answer(file, stop)``, when given, writes the response by itself until ``stop``, an event, is set.
    """
    servers, stop = [], threading.Event()

    def start(content=b"", announced=None, answer=None):
        requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append(self.path)
                if answer is not None:
                    with suppress(ConnectionError):
                        answer(self.wfile, stop)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content) if announced is None else announced))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(data, "CIFAR10_URL", f"{address}/cifar-10-binary.tar.gz")
        monkeypatch.setattr(data, "GUTENBERG_URL", address + "/pg{id}.txt")
        return requests

    yield start
    stop.set()
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def small_cifar10(monkeypatch):
    """Six files of three images in CIFAR-10's format: their contents by name, and the archive."""
    generator = np.random.default_rng(0)
    names = [name for files in data.CIFAR10_SHA1.values() for name in files]
    records = {name: generator.integers(0, 256, (3, 3073), dtype=np.uint8) for name in names}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, record in records.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = record.nbytes
            tar.addfile(entry, io.BytesIO(record.tobytes()))
    sha1 = {
        split: {name: hashlib.sha1(records[name].tobytes()).hexdigest() for name in files}
        for split, files in data.CIFAR10_SHA1.items()
    }
    monkeypatch.setattr(data, "CIFAR10_SHA1", sha1)
    monkeypatch.setattr(data, "CIFAR10_MD5", hashlib.md5(buffer.getvalue()).hexdigest())
    return records, buffer.getvalue()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fill_the_disk(monkeypatch, after):
    """Let ``after`` files reach the disk, and no other."""
    fsync, written = os.fsync, []

    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            written.append(descriptor)
            if len(written) > after:
                raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)


def files(folder):
    """All files of a folder, and hidden folders, but the lock, which stays."""
    paths = [path for path in folder.rglob("*") if path.is_file() or path.name[0] == "."]
    return sorted(str(path.relative_to(folder)) for path in paths if path.name != ".lock")


# The data root


def test_data_root_is_where_the_variable_says_and_is_not_created(root, monkeypatch):
    assert data.data_root() == root and not root.exists()
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", "~/my data")
    assert str(data.data_root()) == "/somewhere/my data"
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", "~nobody-of-that-name/data")
    with pytest.raises(data.DataError, match="~nobody-of-that-name/data', and there is no such user: set it"):
        data.book("grimm")


@pytest.mark.parametrize("value", [None, ""])
def test_data_root_is_a_cache_of_the_user_without_the_variable(value, monkeypatch):
    monkeypatch.delenv("SHARED_WEIGHTS_DATA")
    if value is not None:
        monkeypatch.setenv("SHARED_WEIGHTS_DATA", value)
    assert data.data_root().is_absolute() and "shared-weights" in str(data.data_root())


LOADS = {"cifar10": lambda: data.cifar10("test"), "book": lambda: data.book("grimm")}
FOLDERS = {"cifar10": "cifar-10-batches-bin", "book": "books"}


@pytest.mark.parametrize("kind", LOADS)
@pytest.mark.parametrize("where", ["above the root", "the root", "in the root"])
def test_a_file_in_place_of_a_folder_is_named(kind, where, root, monkeypatch):
    path = {"above the root": root.parent / "file", "the root": root, "in the root": root / FOLDERS[kind]}[where]
    write(path, "a file where a folder should be")
    if where == "above the root":
        monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(path / "root"))
    with pytest.raises(data.DataError, match="cannot be stored there") as caught:
        LOADS[kind]()
    assert f": {path} stands where a folder should be. You can set SHARED_WEIGHTS_DATA" in str(caught.value)
    assert path.read_text() == "a file where a folder should be"


@pytest.mark.parametrize("kind", LOADS)
def test_a_folder_in_place_of_a_file_is_named(kind, root):
    path = root / FOLDERS[kind] / {"cifar10": "test_batch.bin", "book": data.GUTENBERG["grimm"].file}[kind]
    path.mkdir(parents=True)
    with pytest.raises(data.DataError) as caught:
        LOADS[kind]()
    assert f"{path} is a folder, and a file should be there. Put that right" in str(caught.value)


@pytest.fixture
def nobody(monkeypatch):
    """A data root that everybody could read, and a user who may not read everything: even root's tests run as one."""
    with tempfile.TemporaryDirectory() as folder:
        data.Path(folder).chmod(0o755)
        monkeypatch.setenv("SHARED_WEIGHTS_DATA", folder)
        user = os.geteuid()
        yield data.Path(folder), lambda: os.seteuid(65534) if user == 0 else None
        os.seteuid(user)
        for path in data.Path(folder).rglob("*"):
            path.chmod(0o755)


@pytest.mark.parametrize("kind", LOADS)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_or_folder_that_may_not_be_read_is_named(kind, what, nobody):
    root, become_nobody = nobody
    name = {"cifar10": "test_batch.bin", "book": data.GUTENBERG["grimm"].file}[kind]
    path = write(root / FOLDERS[kind] / name, "secret")
    (path if what == "file" else path.parent).chmod(0)
    become_nobody()
    with pytest.raises(data.DataError) as caught:
        LOADS[kind]()
    assert f"{path}: Permission denied" in str(caught.value) and "SHARED_WEIGHTS_DATA" in str(caught.value)


def test_a_root_that_may_not_be_written_is_named(nobody):
    root, become_nobody = nobody
    root.chmod(0o555)
    become_nobody()
    with pytest.raises(
        data.DataError, match=r"cannot be stored there: .*/books: Permission denied. You can set SHARED"
    ):
        data.book("grimm")


def test_a_file_without_a_checksum_to_take_is_named(tmp_path):
    with pytest.raises(data.DataError, match="missing: No such file or directory"):
        data.checksum(tmp_path / "missing")
    with pytest.raises(data.DataError, match=f"{tmp_path} is a folder"):
        data.checksum(tmp_path)


@pytest.mark.parametrize(
    ("load", "allowed"),
    [
        (lambda: data.cifar10("valid"), ["train", "test"]),
        (lambda: data.photo_patches(0), ["train", "test"]),
        (lambda: data.book("alice"), data.BOOKS),
        (lambda: data.book_path("alice"), data.BOOKS),
    ],
)
def test_a_wrong_choice_names_the_allowed_ones(load, allowed, root):
    with pytest.raises(ValueError, match="must be one of") as caught:
        load()
    assert all(repr(name) in str(caught.value) for name in allowed)
    assert not root.exists()


def test_checksum_is_that_of_the_contents(tmp_path):
    path = write(tmp_path / "file", b"abc")  # the example of FIPS 180
    assert data.checksum(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert data.checksum(path, "sha1") == "a9993e364706816aba3e25717850c26c9cd0d89d"


# CIFAR-10


def assert_is_cifar10(records, split):
    images, labels = data.cifar10(split)
    raw = np.concatenate([records[name] for name in data.CIFAR10_SHA1[split]])
    assert images.dtype == np.uint8 and labels.dtype == np.int64 and images.shape == (len(raw), 3, 32, 32)
    for image, label, record in zip(images, labels, raw, strict=True):
        assert label == record[0]
        assert image[0, 0, 1] == record[2] and image[0, 1, 0] == record[33] and image[2, 31, 31] == record[3072]
        assert image.tobytes() == record[1:].tobytes()
    images[:], labels[:] = 0, 0  # the caller's own


def test_cifar10_reads_the_files_of_the_root_without_a_download(root, small_cifar10):
    for name, record in small_cifar10[0].items():
        write(root / "cifar-10-batches-bin" / name, record.tobytes())
    assert_is_cifar10(small_cifar10[0], "train")
    assert_is_cifar10(small_cifar10[0], "test")


def test_cifar10_is_downloaded_once(root, small_cifar10, serve):
    requests = serve(small_cifar10[1])
    assert_is_cifar10(small_cifar10[0], "test")
    assert_is_cifar10(small_cifar10[0], "train")
    assert requests == ["/cifar-10-binary.tar.gz"]
    assert files(root) == sorted(f"cifar-10-batches-bin/{name}" for name in small_cifar10[0])  # no archive, no scratch


def test_downloaded_files_have_ordinary_permissions(root, small_cifar10, serve):
    serve(small_cifar10[1])
    data.cifar10("test")
    ordinary = write(root / "ordinary", "")
    for path in (root / "cifar-10-batches-bin").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_a_download_fills_in_what_is_missing_and_leaves_the_rest(root, small_cifar10, serve):
    damaged = write(root / "cifar-10-batches-bin" / "data_batch_2.bin", b"mine")
    requests = serve(small_cifar10[1])
    assert_is_cifar10(small_cifar10[0], "test")
    with pytest.raises(data.DataError, match="damaged"):
        data.cifar10("train")
    assert damaged.read_bytes() == b"mine" and len(requests) == 1


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])])
def test_a_file_with_a_wrong_checksum_is_not_used(change, root, small_cifar10, serve):
    requests = serve(small_cifar10[1])
    for name, record in small_cifar10[0].items():
        write(root / "cifar-10-batches-bin" / name, record.tobytes())
    path = root / "cifar-10-batches-bin" / "data_batch_5.bin"
    content = change(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(data.DataError, match="Delete it") as caught:
        data.cifar10("train")
    got, expected = hashlib.sha1(content).hexdigest(), data.CIFAR10_SHA1["train"]["data_batch_5.bin"]
    assert str(path) in str(caught.value) and f"is {got}, expected {expected}" in str(caught.value)
    assert requests == [] and path.read_bytes() == content  # nothing of the reader's is touched
    path.unlink()  # what the message says
    assert_is_cifar10(small_cifar10[0], "train")


@pytest.mark.parametrize("announce", [True, False], ids=["connection cut", "short file"])
def test_a_truncated_archive_leaves_nothing(announce, root, small_cifar10, serve):
    archive = small_cifar10[1]
    serve(archive[: len(archive) // 2], len(archive) if announce else None)
    with pytest.raises(data.DataError, match="failed"):
        data.cifar10("test")
    assert files(root) == []


def test_a_full_disk_leaves_only_whole_files(root, small_cifar10, serve, monkeypatch):
    serve(small_cifar10[1])
    with monkeypatch.context() as patch:
        fill_the_disk(patch, after=2)
        with pytest.raises(data.DataError, match="No space left"):
            data.cifar10("train")
    assert files(root) == [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in (1, 2)]
    assert_is_cifar10(small_cifar10[0], "train")


def test_an_archive_with_a_wrong_checksum_leaves_nothing(root, small_cifar10, serve, monkeypatch):
    serve(small_cifar10[1])
    monkeypatch.setattr(data, "CIFAR10_MD5", "0" * 32)
    with pytest.raises(data.DataError, match="0" * 32):
        data.cifar10("test")
    assert files(root) == []


def test_without_a_network_the_error_says_how_to_get_cifar10(root):
    with pytest.raises(data.DataError) as caught:
        data.cifar10("test")
    message = str(caught.value)
    assert message.startswith(f"CIFAR-10 is not in {root / 'cifar-10-batches-bin'}")
    assert f"mkdir -p {root} && curl -fL {data.CIFAR10_URL} | tar -xz -C {root}\n" in message
    assert "SHARED_WEIGHTS_DATA" in message
    assert files(root) == []


# Patches of photographs


def test_photo_patches_have_the_shapes_of_cifar10_at_a_tenth_of_its_size():
    assert len(data.PHOTO_NAMES) == len(data.CIFAR10_CLASSES) == 10
    for split, size in (("train", 5_000), ("test", 1_000)):
        images, labels = data.photo_patches(split)
        assert images.dtype == np.uint8 and labels.dtype == np.int64
        assert images.shape == (size, 3, 32, 32) and labels.shape == (size,)
        assert (labels[:20] == np.tile(np.arange(10), 2)).all() and (np.bincount(labels) == size // 10).all()
        again, _ = data.photo_patches(split)
        assert (images == again).all() and not np.shares_memory(images, again)


def test_photo_patches_are_always_the_same():
    """The PNG photographs decode alike everywhere, so their patches can be pinned."""
    images, labels = data.photo_patches("train")
    astronaut = images[labels == data.PHOTO_NAMES.index("astronaut")]
    assert hashlib.sha256(astronaut.tobytes()).hexdigest() == (
        "80cb3e901c2e5f23be88fe5a50727306bbd96dfb2b93d96a8af07955f0ed9427"
    )


def test_photo_patches_are_cut_from_the_photograph_that_the_label_names():
    """The libraries' own loaders are the reference: every patch is found in the photograph."""
    import skimage.data
    import sklearn.datasets

    photographs = {"cat": skimage.data.cat(), "coffee": skimage.data.coffee()}
    photographs["temple"], photographs["flower"] = sklearn.datasets.load_sample_images().images
    images, labels = data.photo_patches("test")
    for name, photograph in photographs.items():
        windows = sliding_window_view(photograph, (32, 32), axis=(0, 1))  # [rows, columns, 3, 32, 32]
        for patch in images[labels == data.PHOTO_NAMES.index(name)][:10]:
            corners = np.argwhere((windows[:, :, :, 0, 0] == patch[:, 0, 0]).all(-1))
            assert any((windows[row, column] == patch).all() for row, column in corners)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(128, 512), width=st.integers(128, 512))
def test_train_and_test_share_no_pixel(height, width):
    """Every pixel of the photograph carries its own number, so the patches tell where they come from."""
    number = np.arange(height * width).reshape(height, width)
    photograph = np.stack([number // 65536, number // 256 % 256, number % 256], axis=-1).astype(np.uint8)
    seen = {}
    for split in ("train", "test"):
        patches = data._cut(photograph, split).astype(np.int64)
        origin = patches[:, 0] * 65536 + patches[:, 1] * 256 + patches[:, 2]  # [patches, 32, 32]
        assert len(origin) and len(np.unique(origin[:, 0, 0])) == len(origin)
        rows, columns = origin // width, origin % width
        assert (np.diff(rows, axis=1) == 1).all() and (np.diff(rows, axis=2) == 0).all()
        assert (np.diff(columns, axis=2) == 1).all() and (np.diff(columns, axis=1) == 0).all()
        seen[split] = np.unique(origin)
    assert not np.intersect1d(seen["train"], seen["test"]).size
    assert seen["train"].size + seen["test"].size == (height // 64) * (width // 64) * 64 * 64


def test_no_patch_is_in_both_splits():
    train, test = (data.photo_patches(split)[0] for split in ("train", "test"))
    assert not {patch.tobytes() for patch in train} & {patch.tobytes() for patch in test}


# Books


def test_the_bible_ships_with_a_package():
    text = data.book("bible")
    assert text.startswith("Genesis\n\n1:1 In the beginning God created the heaven and the earth.\n1:2 And the earth ")
    assert text.endswith("\n22:21 The grace of our Lord Jesus Christ be with you all. Amen.\n")
    assert "\n\nExodus\n\n1:1 Now these are the names" in text and "[]" not in text
    lines = [line for line in text.splitlines() if line]
    assert len(lines) == 31_102 + 66  # verses, and the names of the books
    assert sum(line[0].isdigit() and ":" in line.split()[0] for line in lines) == 31_102


@pytest.mark.parametrize("text", [BODY, FRAMED, FRAMED.replace("\n", "\r\n")], ids=["bare", "framed", "framed, CRLF"])
def test_a_book_of_the_root_comes_without_its_frame(text, root):
    write(root / "books" / "communist_manifesto.txt", text)
    assert data.book("communist_manifesto") == BODY
    assert files(root) == ["books/communist_manifesto.txt"]


def test_a_book_is_downloaded_once_and_its_checksum_kept(root, serve):
    requests = serve(FRAMED.encode())
    assert data.book("communist_manifesto") == data.book("communist_manifesto") == BODY
    assert requests == ["/pg61.txt"]
    assert files(root / "books") == ["communist_manifesto.txt", "communist_manifesto.txt.sha256"]
    path = data.book_path("communist_manifesto")
    expected = hashlib.sha256(FRAMED.encode()).hexdigest()
    assert data.checksum(path) == expected
    assert (root / "books" / "communist_manifesto.txt.sha256").read_text() == f"{expected}  {path.name}\n"


def test_a_downloaded_book_that_changed_is_not_used(root, serve):
    serve(FRAMED.encode())
    path = data.book_path("communist_manifesto")
    path.write_bytes(path.read_bytes().replace(b"Powers", b"powers", 1))
    with pytest.raises(data.DataError, match="damaged") as caught:
        data.book("communist_manifesto")
    assert data.checksum(path) in str(caught.value) and hashlib.sha256(FRAMED.encode()).hexdigest() in str(caught.value)
    path.unlink()
    assert data.book("communist_manifesto") == BODY


@pytest.mark.parametrize("after", [0, 1])
def test_no_book_is_kept_without_its_checksum(after, root, serve, monkeypatch):
    serve(FRAMED.encode())
    with monkeypatch.context() as patch:
        fill_the_disk(patch, after)
        with pytest.raises(data.DataError, match="No space left"):
            data.book("communist_manifesto")
    assert files(root) == ["books/communist_manifesto.txt.sha256"][:after]
    assert data.book("communist_manifesto") == BODY


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"no checksum  grimm.txt\n", b"abc123  grimm.txt\n"])
def test_a_checksum_that_is_none_is_named(content, root, serve):
    serve(FRAMED.encode())
    path = data.book_path("communist_manifesto")
    stored = write(path.with_name(f"{path.name}.sha256"), content)
    with pytest.raises(data.DataError, match=r"sha256 holds no checksum. Delete it and .*communist_manifesto.txt, and"):
        data.book("communist_manifesto")
    stored.unlink()
    path.unlink()  # what the message says
    assert data.book("communist_manifesto") == BODY


WRONG_BOOKS = {
    "another book": FRAMED.replace(SENTENCE, "cat is haunting Europe").encode(),
    "an error page": b"<html>Please come back later</html>",
    "no end": FRAMED[: FRAMED.index("*** END")].encode(),
    "too short": FRAMED.replace(BODY, BODY[:60_000]).encode(),
    "not text": b"\xff\xfe" + FRAMED.encode(),
}


@pytest.mark.parametrize("content", WRONG_BOOKS.values(), ids=WRONG_BOOKS)
def test_a_wrong_download_is_no_book(content, root, serve):
    serve(content)
    with pytest.raises(data.DataError, match=r"'communist_manifesto' is not in .* failed"):
        data.book("communist_manifesto")
    assert files(root) == []


@pytest.mark.parametrize("kind", ["another book", "an error page", "too short", "not text"])
def test_a_wrong_file_of_the_root_is_no_book(kind, root):
    path = write(root / "books" / "communist_manifesto.txt", WRONG_BOOKS[kind])
    with pytest.raises(data.DataError, match="is not the book 'communist_manifesto'") as caught:
        data.book("communist_manifesto")
    assert str(path) in str(caught.value) and path.read_bytes() == WRONG_BOOKS[kind]


def test_a_cut_connection_leaves_no_book(root, serve):
    serve(FRAMED.encode(), len(FRAMED.encode()) + 1)
    with pytest.raises(data.DataError, match="failed"):
        data.book("communist_manifesto")
    assert files(root) == []


@pytest.mark.parametrize("name", data.GUTENBERG)
def test_without_a_network_the_error_says_how_to_get_the_book(name, root):
    edition = data.GUTENBERG[name]
    with pytest.raises(data.DataError) as caught:
        data.book(name)
    message = str(caught.value)
    assert message.startswith(f"The book {name!r} is not in {root / 'books'}")
    assert f"-o {root / 'books' / edition.file} http://127.0.0.1:9/pg{edition.id}.txt\n" in message
    assert "SHARED_WEIGHTS_DATA" in message


@pytest.mark.parametrize("kind", LOADS)
def test_commands_by_hand_can_be_pasted_whatever_the_folder_is_called(kind, tmp_path, monkeypatch):
    root = tmp_path / "the reader's $data"
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(root))
    with pytest.raises(data.DataError) as caught:
        LOADS[kind]()
    (command,) = [line for line in str(caught.value).splitlines() if "curl" in line]
    assert any(word in (str(root), str(root / "books" / data.GUTENBERG["grimm"].file)) for word in shlex.split(command))


# Downloads that take long, or end early

HEADERS = b"HTTP/1.0 200 OK\r\nContent-Length: 1000000000\r\n"


def dripping(head, drop):
    """An answer that starts with ``head`` and goes on, drop by drop, for ever (but a test that fails must not hang)."""

    def answer(file, stop):
        file.write(head)
        for _ in range(5000):
            if stop.wait(0.002):
                return
            file.write(drop)

    return answer


DRIPS = {
    "nothing": dripping(b"", b""),
    "status": dripping(b"", b"H"),
    "headers": dripping(HEADERS + b"X: ", b"x"),
    "body": dripping(HEADERS + b"\r\n", b"x"),
    "body after a good start": dripping(HEADERS + b"\r\n" + b"x" * 2**18, b"x"),
    "chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_a_download_that_hardly_moves_is_given_up(answer, root, serve, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE", 0.1)
    serve(answer=answer)
    with pytest.raises(data.DataError, match=r"failed: only [\d,]+ bytes came in 0.1 s\nGet it by hand") as caught:
        data.book("communist_manifesto")
    assert "pg61.txt" in str(caught.value) and files(root) == []


def test_a_download_may_take_as_long_as_it_moves(root, serve, monkeypatch):
    """Here it need not move at all, so that the test depends on no clock: after some waits the rest comes."""
    waits, more = [], threading.Event()
    waiting = downloads.wait

    def wait(futures, patience):
        waits.append(patience)
        if len(waits) == 5:
            more.set()
        return waiting(futures, 0.01 if len(waits) < 5 else 60)

    def answer(file, stop):
        file.write(b"HTTP/1.0 200 OK\r\n\r\n")
        more.wait(60)
        file.write(FRAMED.encode())

    monkeypatch.setattr(downloads, "LEAST", 0)
    monkeypatch.setattr(downloads, "wait", wait)
    serve(answer=answer)
    assert data.book("communist_manifesto") == BODY and set(waits) == {downloads.PATIENCE}


def test_nobody_goes_on_with_a_download_that_was_given_up(root, serve, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE", 0.05)
    before = set(threading.enumerate())
    serve(answer=dripping(HEADERS + b"\r\n", b"x" * 1000))
    monkeypatch.setattr(downloads, "LEAST", 10**9)
    with pytest.raises(data.DataError, match="only"):
        data.book("communist_manifesto")
    for thread in set(threading.enumerate()) - before:
        if "work" in thread.name:
            thread.join(10)
            assert not thread.is_alive()
    assert files(root) == []


CHILD = """
import sys
from helpers import data
data.GUTENBERG_URL = sys.argv[1]
data.book("communist_manifesto")
"""


def test_what_a_killed_download_left_is_taken_away(root, serve):
    half, answers = threading.Event(), []

    def answer(file, stop):
        answers.append(file)
        file.write(b"HTTP/1.0 200 OK\r\n\r\n" + FRAMED.encode()[: None if len(answers) > 1 else 40_000])
        if len(answers) == 1:
            half.set()
            stop.wait(60)

    serve(answer=answer)
    mine = [write(root / "books" / name, "mine") for name in (".notes.tmp", ".communist.txt", "communist.txt")]
    child = subprocess.Popen([sys.executable, "-c", CHILD, data.GUTENBERG_URL], stderr=subprocess.DEVNULL)
    assert half.wait(60)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    write(root / "books" / ".communist_manifesto.txt.0123abcd.tmp", "what the writer of files leaves")
    assert any(name.startswith("books/.download-") for name in files(root))
    assert data.book("communist_manifesto") == BODY
    names = [*(path.name for path in mine), "communist_manifesto.txt", "communist_manifesto.txt.sha256"]
    assert files(root / "books") == sorted(names) and all(path.read_text() == "mine" for path in mine)


def test_two_downloads_at_once_are_one(root, serve):
    asked, go_on = threading.Event(), threading.Event()

    def answer(file, stop):
        asked.set()
        go_on.wait(60)
        file.write(b"HTTP/1.0 200 OK\r\n\r\n" + FRAMED.encode())

    requests, texts = serve(answer=answer), []
    readers = [threading.Thread(target=lambda: texts.append(data.book("communist_manifesto"))) for _ in range(2)]
    readers[0].start()
    assert asked.wait(60)
    (scratch,) = (root / "books").glob(".download-*")
    readers[1].start()
    readers[1].join(0.1)  # it has the time to do harm
    assert readers[1].is_alive() and scratch.is_dir()
    go_on.set()
    for reader in readers:
        reader.join(60)
    assert texts == [BODY, BODY] and len(requests) == 1


# Molecules and packages


def test_qm9_is_the_raw_table():
    table = data.qm9()
    assert table.shape == (130_831, 25) and table.index.is_unique and table["Index"].is_unique
    methane = table.loc[table["SMILES"] == "C"].iloc[0]
    assert methane["N_atoms"] == 5 and methane["Elements"] == "['C','H','H','H','H']"
    atoms = -37.846772 - 4 * 0.500273  # Hartree, as in the table
    assert (methane["InternalEnergy_0K_au"] - atoms) * 627.5095 == pytest.approx(-396.0, abs=0.05)  # kcal/mol
    assert all(column in data.qm9.__doc__ for column in table)
    assert not table.isna().any(axis=None)


@pytest.mark.parametrize(
    ("package", "path"),
    [("bible", "data/kjv.jsonl"), ("qm9pack", "data/qm9_part1.csv"), ("skimage", "data/astronaut.png")],
)
def test_a_package_that_is_not_installed_is_named(package, path, monkeypatch):
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda name: None)
    load = {"bible": lambda: data.book("bible"), "qm9pack": data.qm9, "skimage": lambda: data.photo_patches("test")}
    with pytest.raises(data.DataError, match=f"{path} of the package '{package}' is missing.*pip install"):
        load[package]()


def test_a_package_without_the_file_is_named():
    with pytest.raises(data.DataError, match="no-such-file of the package 'numpy' is missing"):
        data._package_file("numpy", "no-such-file")


# The real files, where there are some

REAL = data.data_root()


@pytest.mark.skipif(not (REAL / data.CIFAR10_FOLDER).exists(), reason=f"no CIFAR-10 in {REAL}")
@pytest.mark.parametrize(("split", "size"), [("train", 50_000), ("test", 10_000)])
def test_the_real_cifar10(split, size, monkeypatch):
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(REAL))
    images, labels = data.cifar10(split)
    assert images.shape == (size, 3, 32, 32) and (np.bincount(labels) == size // 10).all()
    if split == "train":  # the means and standard deviations that everyone normalises with
        assert images.mean((0, 2, 3)) / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
        assert images.std((0, 2, 3)) / 255 == pytest.approx([0.2470, 0.2435, 0.2616], abs=1e-4)


@pytest.mark.parametrize("name", data.GUTENBERG)
def test_the_real_books(name, monkeypatch):
    if not (REAL / "books" / data.GUTENBERG[name].file).exists():
        pytest.skip(f"no {data.GUTENBERG[name].file} in {REAL / 'books'}")
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(REAL))
    text = data.book(name)
    assert len(text) > 60_000 and "PROJECT GUTENBERG EBOOK" not in text and "\r" not in text
