from collections.abc import Callable, Sequence
from typing import final

MAX_DEPTH: int
MAX_CHILDREN: int
MAX_UNPROVEN: int
KEPT_UNPROVEN: int
SCANNED_ITEMS: int
MAX_LABELS: int
MAX_VARIANTS: int
MAX_NODES: int
DISCRIMINATORS: tuple[str, ...]

Check = Callable[[str], Sequence[str]]

def made(kind: type, values: dict[str, object]) -> object: ...

@final
class Variant:
    objects: int
    present: dict[str, int]
    def __init__(self, objects: int = 0, present: dict[str, int] | None = None) -> None: ...

@final
class Node:
    nulls: int
    booleans: int
    integers: int
    numbers: int
    """Numbers with a fraction or an exponent."""
    strings: int
    objects: int
    arrays: int
    negative: bool
    """A number below zero was seen."""
    bits: int
    """Of the greatest magnitude among the integers."""
    shortest: int
    """Characters; -1 until a string is seen."""
    longest: int
    format: str
    open: bool
    """A string was seen that is no public word (``labels``), or too many of them."""
    labels: dict[str, int]
    children: dict[str, Node]
    other: Node | None
    """Values of properties whose names are values themselves, or too many."""
    keyed: int
    """Objects that had at least one such property; 0 once folded."""
    folded: bool
    """There were more properties than may be kept, so all are in ``other``."""
    items: Node | None
    fewest: int
    """Items in an array; -1 until one is seen."""
    most: int
    finds: dict[str, int]
    variants: dict[str, Variant]
    many_variants: bool
    scanned: int
    """Scalars in which sensitive data was looked for."""
    private: bool
    """The name of the property says that its strings must not be labels."""
    distinct: bytes
    crowded: bool
    """There were more unproven names than may be kept apart, so that the others are in ``other``."""
    unnamed: int
    """Properties whose names are not proven, where that was counted (``messages.reveal``); not stored."""
    alone: bool
    """The name that leads here was sent by one caller only; not stored."""
    def __init__(
        self,
        nulls: int = 0,
        booleans: int = 0,
        integers: int = 0,
        numbers: int = 0,
        strings: int = 0,
        objects: int = 0,
        arrays: int = 0,
        negative: bool = False,
        bits: int = 0,
        shortest: int = -1,
        longest: int = 0,
        format: str = "",
        open: bool = False,
        labels: dict[str, int] | None = None,
        children: dict[str, Node] | None = None,
        other: Node | None = None,
        keyed: int = 0,
        folded: bool = False,
        items: Node | None = None,
        fewest: int = -1,
        most: int = 0,
        finds: dict[str, int] | None = None,
        variants: dict[str, Variant] | None = None,
        many_variants: bool = False,
        scanned: int = 0,
        private: bool = False,
        distinct: bytes = b"",
        crowded: bool = False,
    ) -> None: ...
    @property
    def total(self) -> int: ...
    @property
    def evidence(self) -> float: ...
    def size(self) -> int: ...
    def walk(self) -> list[Node]: ...
