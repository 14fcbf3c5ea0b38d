"""Passwords are kept as scrypt hashes (RFC 7914), each with its salt and its cost beside it.

A hash takes 32 MiB and about 0.1 s of a processor; :class:`PasswordPool` bounds how many there are at a time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

MIN_CHARACTERS, MAX_CHARACTERS = 10, 200
_COST, _BLOCK, _LANES = 1 << 15, 8, 1
_MEMORY_BYTES = 64 << 20
_WORKERS, _WAITING = 1, 8
_P = ParamSpec("_P")
_T = TypeVar("_T")
_COMMON = frozenset(("password12", "1234567890", "0123456789", "qwertyuiop", "administrator", "password123"))


class PasswordRefused(Exception):
    """The password is not good enough. The text says why, and does not hold it."""


class PasswordsBusy(Exception):
    """Too many passwords are being checked. The same may be possible a little later."""

    retry_after_s = 2.0


class PasswordPool:
    """Computes hashes in a thread of its own, one at a time, with a short queue. Usable from any thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_WORKERS, "passwords")
        self._room = threading.BoundedSemaphore(_WORKERS + _WAITING)

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what *function* returns.

        Raises:
            PasswordsBusy: too many wait already; nothing was computed.
        """
        if not self._room.acquire(blocking=False):
            raise PasswordsBusy("too many passwords are being checked; try again in a moment")
        try:
            return self._threads.submit(function, *args, **kwargs).result()
        finally:
            self._room.release()


def check_new_password(password: str) -> None:
    """Refuse a password before anything is computed.

    Raises:
        PasswordRefused: it is too short, too long or too common.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise PasswordRefused(f"a password has from {MIN_CHARACTERS} to {MAX_CHARACTERS} characters")
    if password.lower() in _COMMON or len(set(password)) < 4:
        raise PasswordRefused("this password is too easy to guess")


def hash_password(password: str) -> str:
    """Return what is kept.

    Raises:
        PasswordRefused: it is too short, too long or too common.
    """
    check_new_password(password)
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _COST, _BLOCK, _LANES)
    parts = (base64.b64encode(each).decode() for each in (salt, digest))
    return f"scrypt${_COST}${_BLOCK}${_LANES}$" + "$".join(parts)


def check_password(password: str, kept: str) -> bool:
    """Whether *password* is the one that was kept. Takes as long for a wrong one."""
    try:
        name, cost, block, lanes, salt, digest = kept.split("$")
        if name != "scrypt":
            return False
        found = _scrypt(password[:MAX_CHARACTERS], base64.b64decode(salt), int(cost), int(block), int(lanes))
        return hmac.compare_digest(found, base64.b64decode(digest))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=cost,
        r=block,
        p=lanes,
        maxmem=_MEMORY_BYTES,
        dklen=32,
    )
