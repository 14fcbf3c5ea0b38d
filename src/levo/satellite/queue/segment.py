"""The format of a journal segment: a plain head, then sealed frames.

    head   magic (8), salt (16), crc32 of both (4); all of it twice
    frame  mark (4), length of what follows the frame head (4), its crc32 (4), crc32 of these (4),
           AES-256-GCM ciphertext and tag

All numbers are little-endian. The key of a segment is derived from the installation's journal key, the salt
and the number of the segment; the nonce of a frame is its offset. A writer never reopens a segment, so no
nonce is used twice. The crc tells a write that a crash cut short from a wrong key: only the latter fails the
tag. Damage costs the frame in which it is: where a frame head is damaged, the mark leads to the next one.

Segments of earlier versions have one head, and frame heads of length and crc32 alone. They are read, not
written.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from levo.errors import LevoError

KEY_BYTES = 32
MAGIC, EARLIER_MAGIC = b"LEVOJRN2", b"LEVOJRN1"
SALT_BYTES = 16
_COPY_BYTES = len(MAGIC) + SALT_BYTES + 4
HEAD_BYTES = 2 * _COPY_BYTES
MARK = b"\xf5LJ\xfa"
FRAME_HEAD_BYTES = 16
TAG_BYTES = 16
_FRAME_HEAD = struct.Struct("<4sII")
_EARLIER_FRAME_HEAD = struct.Struct("<II")
SUFFIX = ".segment"


def segment_path(folder: Path, number: int) -> Path:
    """Where segment *number* lies; names sort like numbers."""
    return folder / f"{number:016d}{SUFFIX}"


def segment_numbers(folder: Path) -> list[int]:
    """The numbers of the segments in *folder*, ascending. Files with other names are ignored."""
    names = (entry.name for entry in os.scandir(folder))
    return sorted(
        int(stem) for name in names if name.endswith(SUFFIX) and (stem := name[: -len(SUFFIX)]).isdigit()
    )


def load_key(path: Path) -> bytes:
    """Read the journal key at *path*.

    Raises:
        LevoError: there is none, or the file is no key.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise LevoError(f"{path}: the journal's key cannot be read: {error.strerror}; put it back") from error
    if len(key) != KEY_BYTES:
        raise LevoError(
            f"{path}: holds {len(key)} octets, a journal key has {KEY_BYTES}; restore or remove it"
        )
    return key


def make_key(path: Path) -> bytes:
    """Write a new key to *path*, which makes whatever was sealed with another one unreadable; return it."""
    key = os.urandom(KEY_BYTES)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync_folder(path.parent)
    return key


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_head() -> bytes:
    """The head of a segment that is about to be written."""
    start = MAGIC + os.urandom(SALT_BYTES)
    return 2 * (start + zlib.crc32(start).to_bytes(4, "little"))


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame says of itself before its content."""

    size: int
    """Octets of the frame head."""
    length: int
    """Octets that follow it."""
    crc: int
    """Of them."""


class Sealer:
    """Seals and opens the frames of one segment."""

    def __init__(self, key: bytes, number: int, head: bytes) -> None:
        """*head* is sound."""
        form = read_form(head)
        assert form is not None
        self.form = form
        derive = HKDF(hashes.SHA256(), KEY_BYTES, form.salt, b"levo journal segment %d" % number)
        self._cipher = AESGCM(derive.derive(key))

    def seal(self, offset: int, plain: bytes) -> bytes:
        """Return the whole frame that will stand at *offset*."""
        sealed = self._cipher.encrypt(offset.to_bytes(12, "little"), plain, None)
        start = _FRAME_HEAD.pack(MARK, len(sealed), zlib.crc32(sealed))
        return start + _check(start, offset) + sealed

    def open(self, offset: int, sealed: bytes) -> bytes | None:
        """Return what was sealed at *offset*, or None if the key, the place or the content is another."""
        try:
            return self._cipher.decrypt(offset.to_bytes(12, "little"), sealed, None)
        except InvalidTag:
            return None


@dataclass(frozen=True, slots=True)
class Form:
    """How one segment is written."""

    salt: bytes
    earlier: bool
    """Whether an earlier version wrote it."""

    @property
    def head_bytes(self) -> int:
        """Where the first frame is."""
        return _COPY_BYTES if self.earlier else HEAD_BYTES

    @property
    def frame_head_bytes(self) -> int:
        """How many octets of a frame :meth:`frame_head` looks at."""
        return _EARLIER_FRAME_HEAD.size if self.earlier else FRAME_HEAD_BYTES

    def frame_head(self, octets: bytes, at: int, offset: int) -> FrameHead | None:
        """Return the frame head at *at* in *octets*, which is *offset* in the segment; None if it is damaged.

        In a segment of an earlier version damage does not show.
        """
        if self.earlier:
            return FrameHead(_EARLIER_FRAME_HEAD.size, *_EARLIER_FRAME_HEAD.unpack_from(octets, at))
        start, check = (
            octets[at : at + _FRAME_HEAD.size],
            octets[at + _FRAME_HEAD.size : at + FRAME_HEAD_BYTES],
        )
        mark, length, crc = _FRAME_HEAD.unpack(start)
        sound = mark == MARK and check == _check(start, offset)
        return FrameHead(FRAME_HEAD_BYTES, length, crc) if sound else None


def read_form(head: bytes) -> Form | None:
    """Return what the first ``HEAD_BYTES`` octets of a segment say, None if they do not say it."""
    for at in (0, _COPY_BYTES):
        copy = head[at : at + _COPY_BYTES]
        start, check = copy[:-4], int.from_bytes(copy[-4:], "little")
        if len(copy) == _COPY_BYTES and zlib.crc32(start) == check:
            if start.startswith(MAGIC) and len(head) == HEAD_BYTES:
                return Form(start[len(MAGIC) :], earlier=False)
            if start.startswith(EARLIER_MAGIC) and not at:
                return Form(start[len(MAGIC) :], earlier=True)
    return None


def _check(start: bytes, offset: int) -> bytes:
    return zlib.crc32(offset.to_bytes(8, "little"), zlib.crc32(start)).to_bytes(4, "little")
