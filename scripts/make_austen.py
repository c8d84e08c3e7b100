"""Make src/pullback/data/austen.txt.bz2 from Debian's package r-cran-janeaustenr.

    python scripts/make_austen.py             fetches the package with `apt-get download` into .cache/
    python scripts/make_austen.py --check     compares with the file in the repository, writes nothing

The package holds six novels as the data of an R package: lists of lines in R's own serial form, each compressed with
zlib. What is needed of that form is read here, so that no R is.
"""

import argparse
import bz2
import hashlib
import io
import lzma
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

from pullback.base.atomic import atomic_write

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "r-cran-janeaustenr=1.0.0-1"
ARCHIVE = ROOT / ".cache" / "r-cran-janeaustenr_1.0.0-1_all.deb"
ARCHIVE_SHA256 = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"
MEMBER = "./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
TARGET = ROOT / "src" / "pullback" / "data" / "austen.txt.bz2"

STORED = ("emma", "mansfieldpark", "northangerabbey", "persuasion", "prideprejudice", "sensesensibility")
# By their first publication.
ORDER = ("sensesensibility", "prideprejudice", "mansfieldpark", "emma", "northangerabbey", "persuasion")
EDITORS_NOTE = "A NOTE ON THE TEXT"  # at the end of one novel, by another publisher

_STRINGS, _STRING = 16, 9  # R's types of a list of texts and of one


def fetch() -> None:
    """Have apt put the package's archive into .cache/."""
    ARCHIVE.parent.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", PACKAGE], cwd=ARCHIVE.parent, check=True, stdout=subprocess.DEVNULL)


def read_package() -> dict[str, list[str]]:
    """The lines of each novel, from the checked archive."""
    content = ARCHIVE.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != ARCHIVE_SHA256:
        sys.exit(f"{ARCHIVE}: sha256 is {found}, expected {ARCHIVE_SHA256}; delete it and run again")
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(archived(content, "data.tar.xz")))) as files:
        member = files.extractfile(MEMBER)
        assert member is not None
        parts = unpacked(member.read())
    return dict(zip(STORED, map(read_lines, parts), strict=True))


def archived(content: bytes, name: str) -> bytes:
    """A member of an `ar` archive: a head of 60 bytes with its name and its size, then its bytes, to an even length."""
    at = len(b"!<arch>\n")
    while at < len(content):
        head, size = content[at : at + 60], int(content[at + 48 : at + 58])
        if head[:16].decode().rstrip(" /") == name:
            return content[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    sys.exit(f"{ARCHIVE} has no {name}")


def unpacked(data: bytes) -> list[bytes]:
    """The objects of R's file of data: of each its length, four bytes, and then the object compressed with zlib."""
    parts = []
    while data:
        [length] = struct.unpack(">i", data[:4])
        unpacker = zlib.decompressobj()
        parts.append(unpacker.decompress(data[4:]))
        if len(parts[-1]) != length:
            sys.exit(f"{MEMBER}: an object of {len(parts[-1])} bytes, where {length} were promised")
        data = unpacker.unused_data
    return parts


def read_lines(serial: bytes) -> list[str]:
    """The texts of a list in R's serial form, version 3: "X", a line end, three numbers, the name of an encoding, then
    type and length of the list, and of each text."""
    at = 2 + 3 * 4
    [length] = struct.unpack_from(">i", serial, at)
    at += 4 + length
    kind, count = struct.unpack_from(">ii", serial, at)
    at += 8
    lines = []
    for _ in range(count):
        flags, length = struct.unpack_from(">ii", serial, at)
        if kind & 255 != _STRINGS or flags & 255 != _STRING:
            sys.exit(f"{MEMBER}: an object that is no list of texts")
        lines.append(serial[at + 8 : at + 8 + length].decode("utf-8"))
        at += 8 + length
    return lines


def joined(novels: dict[str, list[str]]) -> str:
    """The novels one after another, each line as it was, without what is not the author's and without empty ends."""
    texts = []
    for name in ORDER:
        lines = novels[name]
        if EDITORS_NOTE in lines:
            lines = lines[: lines.index(EDITORS_NOTE)]
        texts.append("\n".join(lines).strip("\n"))
    return "\n\n\n".join(texts) + "\n"


def main() -> None:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--check", action="store_true", help="compare with the stored file, write nothing")
    check = parser.parse_args().check
    if not ARCHIVE.exists():
        fetch()
    text = joined(read_package()).encode("utf-8")
    if check:
        sys.exit(None if bz2.decompress(TARGET.read_bytes()) == text else f"{TARGET} differs from the package")
    with atomic_write(TARGET) as file:
        file.write(bz2.compress(text))
    print(f"{TARGET.relative_to(ROOT)}: {len(text):,} bytes as text, {TARGET.stat().st_size:,} compressed")


if __name__ == "__main__":
    main()
