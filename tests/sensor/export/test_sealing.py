"""Sealing, against the package ``cryptography`` as an independent AES-GCM."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Sealer

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
nonces = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


@given(key=keys, nonce=nonces, extra=st.binary(max_size=70), plain=st.binary(max_size=300))
def test_it_seals_as_another_implementation(key: bytes, nonce: bytes, extra: bytes, plain: bytes) -> None:
    sealer, other = Sealer(key), AESGCM(key)
    sealed = sealer.seal(nonce, extra, plain)
    assert sealed == other.encrypt(nonce, plain, extra) and len(sealed) == len(plain) + TAG_BYTES
    assert sealer.open(nonce, extra, sealed) == plain == sealer.open(nonce, extra, memoryview(sealed))
    assert sealer.seal(nonce, extra, bytearray(plain)) == sealed, "opening leaves the key as it was"


@given(at=st.integers(0, 79), flip=st.integers(1, 255))
def test_any_changed_octet_is_noticed(at: int, flip: int) -> None:
    key, nonce, extra = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES), b"x" * 12
    sealed = Sealer(key).seal(nonce, extra, b"y" * 40)
    parts = [bytearray(part) for part in (nonce, extra, sealed)]
    for part in parts:
        if at < len(part):
            part[at] ^= flip
            break
        at -= len(part)
    assert Sealer(key).open(*map(bytes, parts)) is None


def test_what_is_too_short_or_sealed_under_another_key_does_not_open() -> None:
    key, nonce = bytes(KEY_BYTES), bytes(NONCE_BYTES)
    sealed = Sealer(key).seal(nonce, b"", b"z" * 10)
    assert [Sealer(key).open(nonce, b"", sealed[:size]) for size in range(len(sealed))] == [None] * len(
        sealed
    )
    assert Sealer(b"\1" * KEY_BYTES).open(nonce, b"", sealed) is None


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_keys_and_nonces_have_one_length(size: int) -> None:
    with pytest.raises(ValueError, match="a key has 32 octets"):
        Sealer(bytes(size))
    for call in (Sealer(bytes(32)).seal, Sealer(bytes(32)).open):
        with pytest.raises(ValueError, match="a nonce has 12 octets"):
            call(bytes(size), b"", b"")
