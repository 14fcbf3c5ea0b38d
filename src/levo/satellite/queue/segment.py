"""The format of a journal segment: a plain head, then sealed frames.

    head   magic (8), salt (16), crc32 of both (4)
    frame  length of what follows the frame head (4), its crc32 (4), AES-256-GCM ciphertext and tag

All numbers are little-endian. The key of a segment is derived from the installation's journal key, the salt
and the number of the segment; the nonce of a frame is its offset. A writer never reopens a segment, so no
nonce is used twice. The crc tells a write that a crash cut short from a wrong key: only the latter fails the
tag.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from levo.errors import LevoError

KEY_BYTES = 32
MAGIC = b"LEVOJRN1"
SALT_BYTES = 16
HEAD_BYTES = len(MAGIC) + SALT_BYTES + 4
FRAME_HEAD = struct.Struct("<II")
TAG_BYTES = 16
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


def load_key(path: Path, *, renew: bool = False) -> bytes:
    """Read the journal key at *path*, making one when there is none or when *renew* says so.

    Renewing makes whatever is left on the disk of earlier segments unreadable, so it is done whenever the
    journal is found empty.

    Raises:
        LevoError: the file is no key.
    """
    if not renew:
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            pass
        else:
            if len(key) != KEY_BYTES:
                raise LevoError(
                    f"{path}: holds {len(key)} octets, a journal key has {KEY_BYTES}; restore or remove it"
                )
            return key
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
    return start + zlib.crc32(start).to_bytes(4, "little")


def head_is_sound(head: bytes) -> bool:
    """Whether *head* was written completely by :func:`new_head`."""
    if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
        return False
    return zlib.crc32(head[:-4]) == int.from_bytes(head[-4:], "little")


class Sealer:
    """Seals and opens the frames of one segment."""

    def __init__(self, key: bytes, number: int, head: bytes) -> None:
        salt = head[len(MAGIC) : len(MAGIC) + SALT_BYTES]
        derive = HKDF(hashes.SHA256(), KEY_BYTES, salt, b"levo journal segment %d" % number)
        self._cipher = AESGCM(derive.derive(key))

    def seal(self, offset: int, plain: bytes) -> bytes:
        """Return the whole frame that will stand at *offset*."""
        sealed = self._cipher.encrypt(offset.to_bytes(12, "little"), plain, None)
        return FRAME_HEAD.pack(len(sealed), zlib.crc32(sealed)) + sealed

    def open(self, offset: int, sealed: bytes) -> bytes | None:
        """Return what was sealed at *offset*, or None if the key, the place or the content is another."""
        try:
            return self._cipher.decrypt(offset.to_bytes(12, "little"), sealed, None)
        except InvalidTag:
            return None
