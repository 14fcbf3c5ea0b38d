"""Opening files that will hold captured content, in folders that others may be able to write.

A process with more rights than its neighbors must not be led by them to a file of their choice. So a path is
followed name by name, and what stands in an *exposed* folder counts only if it is ours:

* A folder is exposed if its group or others may write it (``/tmp``, sticky or not), or if it belongs to a
  stranger: any user but root, ourselves, and the one who called sudo.
* A symbolic link in an exposed folder is followed only if it does not belong to a stranger.
* A file that is there already in an exposed folder is written only if it does not belong to a stranger
  either, and a regular one only if it has no second name (hard link).

In other folders links, pipes and devices are what the user says they are, ``/dev/stdout`` and ``/dev/fd/N``
among them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MOST_LINKS = 40
"""As the kernel: more are a circle."""
_ATTEMPTS = 10
_MOST_ID = 0xFFFF_FFFE
_ENTER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GROUP_AND_OTHERS = stat.S_IWGRP | stat.S_IWOTH

Owner = tuple[int, int]
"""User and group."""


def sudo_caller(environ: Mapping[str, str]) -> Owner | None:
    """The user who called sudo; None for root itself, or where the variables are no ids."""
    uid, gid = environ.get("SUDO_UID", ""), environ.get("SUDO_GID", "")
    if not all(each.isascii() and each.isdigit() and len(each) <= 10 for each in (uid, gid)):
        return None
    if not 0 < int(uid) <= _MOST_ID or not 0 <= int(gid) <= _MOST_ID:
        return None
    return int(uid), int(gid)


class UnsafePathError(PermissionError):
    """Others can decide where the path leads. ``strerror`` says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EPERM, reason)


def free_bytes(folder: str | os.PathLike[str]) -> int:
    """Return how many octets the disk of *folder* has left for us. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def open_for_writing(
    path: str | os.PathLike[str], owner: Owner | None = None, *, append: bool = False
) -> int:
    """Open *path* for writing, emptied if it is a regular file, or at its end to *append*; a descriptor.

    A file that is made is readable by its owner alone, and given to *owner*, who counts as ourselves.

    Raises:
        UnsafePathError: see the module.
        OSError: it cannot be opened for another reason.
    """
    with _resolved(path, owner) as place:
        for _ in range(_ATTEMPTS):
            found = place.look()
            if found is None:
                with contextlib.suppress(FileExistsError):
                    return place.make(owner, append)
                continue
            with contextlib.suppress(FileNotFoundError):
                return place.open(found, append)
        raise UnsafePathError("it is replaced again and again while it is being opened")


def open_folder(path: str | os.PathLike[str], owner: Owner | None = None) -> tuple[int, list[str]]:
    """Open the folder *path*, made with its parents if absent, each for ourselves (or *owner*) alone.

    Returns a descriptor, and a warning for each folder on the way to it, itself included, in which others may
    replace what stands there.

    Raises:
        UnsafePathError: a stranger's link leads to it.
        OSError: it cannot be opened for another reason.
    """
    with _resolved(os.path.join(path, "."), owner, make=True) as place:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place.folder), place.warnings


def writable_by_others(path: str | os.PathLike[str], owner: Owner | None = None) -> str:
    """Why others can change the file *path*, which exists; empty if they cannot or it cannot be read."""
    try:
        with _resolved(path, owner) as place:
            found = place.look()
            if found is None:
                return ""
            if found.st_mode & stat.S_IWOTH and stat.S_ISREG(found.st_mode):
                return "every user may write it"
            if not place.is_ours(found.st_uid):
                return f"it belongs to user {found.st_uid}"
            return next(iter(place.warnings), "")
    except UnsafePathError as error:
        return str(error.strerror)
    except OSError:
        return ""


@dataclass(slots=True)
class _Place:
    """A folder that is open, and a name in it that is no link, or one that only the kernel can follow."""

    folder: int
    name: str
    ours: frozenset[int]
    warnings: list[str]
    magic: bool = False

    def is_ours(self, user: int) -> bool:
        return user in self.ours

    @property
    def exposed(self) -> bool:
        status = os.fstat(self.folder)
        return bool(status.st_mode & _GROUP_AND_OTHERS) or not self.is_ours(status.st_uid)

    def look(self) -> os.stat_result | None:
        """What stands there; None if nothing does."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=self.magic)
        except FileNotFoundError:
            return None

    def make(self, owner: Owner | None, append: bool) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | (os.O_APPEND if append else 0)
        made = os.open(self.name, flags, 0o600, dir_fd=self.folder)
        if owner is not None:
            os.fchown(made, *owner)
        return made

    def open(self, found: os.stat_result, append: bool) -> int:
        """Open what is there, to go on at its end or from its beginning.

        It is judged before, since opening a pipe waits, and once it is open.
        """
        self._judge(found)
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | (0 if self.magic else os.O_NOFOLLOW)
        flags |= os.O_APPEND if append else 0
        descriptor = os.open(self.name, flags, dir_fd=self.folder)
        try:
            status = os.fstat(descriptor)
            self._judge(status)
            if stat.S_ISREG(status.st_mode) and not append:
                os.ftruncate(descriptor, 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _judge(self, found: os.stat_result) -> None:
        if self.magic or not self.exposed:
            return
        if stat.S_ISLNK(found.st_mode) or not self.is_ours(found.st_uid):
            raise UnsafePathError(
                f"it belongs to user {found.st_uid}, in a folder that others can write; name another"
            )
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise UnsafePathError(
                "it has a second name (hard link), in a folder that others can write; name another"
            )


@contextlib.contextmanager
def _resolved(path: str | os.PathLike[str], owner: Owner | None, *, make: bool = False) -> Iterator[_Place]:
    """Follow *path* up to its last name, and further where that is a link that may be followed.

    *make*: folders that are absent are made, each for its owner alone.
    """
    text = os.fspath(path)
    if not text:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    ours = frozenset({0, os.geteuid(), *(() if owner is None else owner[:1])})
    place = _Place(os.open("/" if text.startswith("/") else ".", _ENTER), "", ours, [])
    left = _names(text)
    here = "/" if text.startswith("/") else ""
    links = 0
    try:
        while True:
            place.name = left.pop(0)
            try:
                found = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
            except FileNotFoundError:
                if not left:
                    break
                if not make:
                    raise
                _make_folder(place, owner)
                continue_with = place.name
            else:
                if stat.S_ISLNK(found.st_mode):
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    if place.exposed and not place.is_ours(found.st_uid):
                        raise UnsafePathError(
                            f"{os.path.join(here, place.name)} is a link of user {found.st_uid}, "
                            "in a folder that others can write"
                        )
                    if found.st_dev != _proc_device():
                        target = os.readlink(place.name, dir_fd=place.folder)
                        left[:0] = _names(target)
                        if target.startswith("/"):
                            _enter(place, "/", _ENTER)
                            here = "/"
                        continue
                    # Of a process: an open file, say, which has no name to read.
                    place.magic = True
                if not left:
                    break
                continue_with = place.name
            _enter(place, continue_with, _ENTER & ~os.O_NOFOLLOW if place.magic else _ENTER)
            place.magic = False
            here = os.path.join(here, continue_with)
            _note(place, here)
        yield place
    finally:
        os.close(place.folder)


def _names(path: str) -> list[str]:
    """The names to follow; ``.`` where *path* ends with a folder."""
    names = [name for name in path.split("/") if name]
    return [*names, "."] if not names or path.endswith("/") else names


def _proc_device() -> int:
    try:
        return os.stat("/proc/self", follow_symlinks=False).st_dev
    except OSError:
        return -1


def _enter(place: _Place, name: str, flags: int) -> None:
    entered = os.open(name, flags, dir_fd=place.folder)
    os.close(place.folder)
    place.folder = entered


def _make_folder(place: _Place, owner: Owner | None) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(place.name, 0o700, dir_fd=place.folder)
        if owner is not None:
            os.chown(place.name, *owner, dir_fd=place.folder, follow_symlinks=False)


def _note(place: _Place, here: str) -> None:
    """Warn of a folder in which others may replace names. A sticky one keeps them from what is not theirs."""
    status = os.fstat(place.folder)
    if not place.is_ours(status.st_uid):
        place.warnings.append(f"{here} belongs to user {status.st_uid}")
    elif status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        place.warnings.append(f"every user may write {here}")
