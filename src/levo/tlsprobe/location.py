"""Where a library logs its secrets, and what was found out about libraries before."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_JVM = "libjvm.so"
_JVM_REASON = (
    "is a Java machine, whose own TLS (JSSE) logs no secrets: use Conscrypt or netty-tcnative, which are "
    "read, or an agent that writes a key log, and --tls-keylog"
)


class Refused(Exception):
    """A file has no clear place to probe. The text says why, fit to follow the file's name."""

    def __init__(self, text: str, *, labels: bool = False) -> None:
        super().__init__(text)
        self.labels = labels
        """The file has the labels of a key log: it is a TLS library, or talks about one."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where to probe, and what is where when the probe hits."""

    machine: str
    """``x86-64`` or ``arm64``."""
    build_id: str
    """Of the file, in hexadecimal digits; empty where it has none."""
    address: int
    """Of the function, as the file's program headers give it."""
    offset: int
    """The same place in the file, in octets: what a uprobe is set on."""
    form: str
    """How the client random is found.

    ``arguments``: the function is called with (label, ssl, random, 32, secret, length). Otherwise with
    (ssl, label, secret, length), and the random lies in the structure (``embedded``) or behind a pointer
    (``pointer``).
    """
    pointer: int
    """Octets from the structure's beginning to the pointer; 0 for other forms."""
    random: int
    """Octets from the structure, or from what the pointer points to, to the random; 0 for ``arguments``."""
    labels: int
    """So many different labels lead to this function."""


class KnownLibraries:
    """Refusals by build id, so that most files are searched once, whatever copies of them there are.

    Places are not remembered: anybody may write a file with the build id of another, and a place that was
    found in the one must never be probed in the other.
    """

    def __init__(self, most: int = 1024) -> None:
        """Past *most* builds the one that was asked for longest ago is forgotten."""
        self._most = most
        self._known: OrderedDict[str, Refused] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def look(self, descriptor: int, path: str) -> Location:
        """As :func:`levo.tlsprobe.locate.locate`; what was refused once is refused at once.

        *path*: what the file is called, by which a Java machine is known.
        """
        from levo.tlsprobe.locate import locate, read_build_id

        if os.path.basename(path) == _JVM:
            raise Refused(_JVM_REASON, labels=True)
        return self.find(read_build_id(descriptor), lambda: locate(descriptor))

    def find(self, build_id: str, search: Callable[[], Location]) -> Location:
        """What *search* finds or refuses, unless *build_id* was refused before; without an id always that."""
        known = self._known.get(build_id)
        if known is not None:
            self._known.move_to_end(build_id)
            raise Refused(str(known), labels=known.labels)
        try:
            return search()
        except Refused as refusal:
            if build_id:
                self._known[build_id] = refusal
                if len(self._known) > self._most:
                    self._known.popitem(last=False)
            raise
