"""Both ends of a TLS connection whose secrets are known, and its key log, for the target ``sealed``.

Written against the RFCs (8446, 5246, 5288, 7905), on the library ``cryptography``, apart from the engine's
reader.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

Digest = Callable[..., Any]

SUITES = (0x1301, 0x1302, 0x1303, 0xC02F, 0xC030, 0xCCA8)
"""Three of TLS 1.3, then three of TLS 1.2: AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305 of each."""

RANDOMS = (bytes(range(32)), bytes(range(32, 64)))
"""Of the client and of the server."""

HANDSHAKE, ALERT, DATA, CHANGE_CIPHER_SPEC = 22, 21, 23, 20
FINISHED, KEY_UPDATE = 20, 24
KINDS = (DATA, HANDSHAKE, ALERT)
"""Record type by the first octet of a segment; the rest is the content. 3: not sealed at all."""


def record(kind: int, content: bytes) -> bytes:
    """One record of TLS 1.2's version number (RFC 8446 section 5.1)."""
    return struct.pack(">BHH", kind, 0x303, len(content)) + content


def hello(kind: int, suites: bytes, extensions: bytes) -> bytes:
    """A ClientHello (1) or ServerHello (2) as a record (RFC 8446 section 4.1)."""
    body = b"\3\3" + RANDOMS[kind - 1] + b"\0" + suites + struct.pack(">H", len(extensions)) + extensions
    return record(HANDSHAKE, bytes([kind]) + len(body).to_bytes(3, "big") + body)


def secret_of(kind: int, side: int, size: int) -> bytes:
    """The secret of a key log's label: 0 master, 1 handshake, 2 traffic."""
    return bytes((kind * 67 + side * 31 + i) & 0xFF for i in range(size))


@lru_cache(maxsize=256)
def expanded(secret: bytes, label: bytes, size: int, digest: Digest) -> bytes:
    """HKDF-Expand-Label without context, at most one digest long (RFC 8446 section 7.1)."""
    info = struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label + b"\0\1"
    return hmac.new(secret, info, digest).digest()[:size]


@lru_cache(maxsize=16)
def key_block(size: int, digest: Digest) -> bytes:
    """The key block of TLS 1.2 (RFC 5246 section 6.3)."""
    seed, master = b"key expansion" + RANDOMS[1] + RANDOMS[0], secret_of(0, 0, 48)
    chain, block = seed, b""
    while len(block) < size:
        chain = hmac.new(master, chain, digest).digest()
        block += hmac.new(master, chain + seed, digest).digest()
    return block


class Sealer:
    """Seals records of both sides, in order. *handshake*: TLS 1.3 begins with the handshake's keys."""

    def __init__(self, number: int, *, handshake: bool = False, h2: bool = False) -> None:
        self.suite = SUITES[number % len(SUITES)]
        self.modern = self.suite >> 8 == 0x13
        self.handshake = handshake and self.modern
        self.h2 = h2
        kind = number % 3
        self._cipher = ChaCha20Poly1305 if kind == 2 else AESGCM
        self._digest = hashlib.sha384 if kind == 1 else hashlib.sha256
        self._key_size = 16 if kind == 0 else 32
        self._explicit = not self.modern and kind != 2
        self._sequence = [0, 0]
        self._secrets = [secret_of(1 if self.handshake else 2, side, self._size) for side in range(2)]
        self._keys = [self._schedule(side) if self.modern else self._expansion(side) for side in range(2)]

    @property
    def _size(self) -> int:
        return self._digest().digest_size

    def key_log(self) -> bytes:
        """The lines that open the connection (RFC 9850)."""
        random = RANDOMS[0].hex()
        if not self.modern:
            return f"CLIENT_RANDOM {random} {secret_of(0, 0, 48).hex()}\n".encode()
        labels = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"]
        lines = [f"{label} {random} {secret_of(2, i, self._size).hex()}" for i, label in enumerate(labels)]
        if self.handshake:
            labels = ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"]
            lines += [
                f"{label} {random} {secret_of(1, i, self._size).hex()}" for i, label in enumerate(labels)
            ]
        return "\n".join([*lines, ""]).encode()

    def opening(self) -> Iterator[tuple[int, bytes]]:
        """(side, octets) up to the first record that is sealed, as segments that are not sealed."""
        choice = b"\0\x10\0\5\0\3\2h2" if self.h2 else b""
        version = b"\0\x2b\0\2\3\4" if self.modern else b""
        yield 0, b"\3" + hello(1, b"\0\2" + self.suite.to_bytes(2, "big") + b"\1\0", choice)
        yield (
            1,
            b"\3"
            + hello(2, self.suite.to_bytes(2, "big") + b"\0", version + (b"" if self.modern else choice)),
        )
        if not self.modern:
            for side in range(2):
                yield side, b"\3" + record(CHANGE_CIPHER_SPEC, b"\1")
                yield side, b"\1" + bytes([FINISHED, 0, 0, 12]) + bytes(12)
        elif self.handshake:
            chosen = bytes([8, 0, 0, len(choice) + 2, 0, len(choice)]) + choice
            yield 1, b"\1" + chosen
            for side in (1, 0):
                size = self._size
                yield side, b"\1" + bytes([FINISHED, 0, 0, size]) + bytes(size)

    def seal(self, side: int, segment: bytes) -> bytes:
        """The record that *segment* stands for: its first octet says which (``KINDS``)."""
        if not segment or segment[0] & 3 == 3:
            return segment[1:]
        kind, content = KINDS[segment[0] & 3], segment[1:16_385]
        sequence = self._sequence[side].to_bytes(8, "big")
        self._sequence[side] += 1
        key, iv = self._keys[side]
        nonce = (
            iv + sequence
            if self._explicit
            else bytes(a ^ b for a, b in zip(iv, bytes(4) + sequence, strict=True))
        )
        if self.modern:
            plain = content + bytes([kind]) + bytes(segment[0] >> 2)
            header = struct.pack(">BHH", DATA, 0x303, len(plain) + 16)
            sealed = header + self._cipher(key).encrypt(nonce, plain, header)
            self._follow(side, kind, content)
            return sealed
        extra = sequence + struct.pack(">BHH", kind, 0x303, len(content))
        sealed = self._cipher(key).encrypt(nonce, content, extra)
        return record(kind, sequence + sealed if self._explicit else sealed)

    def _follow(self, side: int, kind: int, content: bytes) -> None:
        # Other keys behind Finished and KeyUpdate (RFC 8446 sections 7.2 and 7.3).
        if kind != HANDSHAKE or content[:1] not in (bytes([FINISHED]), bytes([KEY_UPDATE])):
            return
        if content[0] == KEY_UPDATE:
            self._secrets[side] = self._expand(self._secrets[side], b"traffic upd", self._size)
        elif self._secrets[side] == secret_of(1, side, self._size):
            self._secrets[side] = secret_of(2, side, self._size)
        self._sequence[side] = 0
        self._keys[side] = self._schedule(side)

    def _expand(self, secret: bytes, label: bytes, size: int) -> bytes:
        return expanded(secret, label, size, self._digest)

    def _schedule(self, side: int) -> tuple[bytes, bytes]:
        secret = self._secrets[side]
        return self._expand(secret, b"key", self._key_size), self._expand(secret, b"iv", 12)

    def _expansion(self, side: int) -> tuple[bytes, bytes]:
        iv_size = 4 if self._explicit else 12
        block = key_block(2 * (self._key_size + iv_size), self._digest)
        ivs = 2 * self._key_size + side * iv_size
        return block[side * self._key_size :][: self._key_size], block[ivs : ivs + iv_size]
