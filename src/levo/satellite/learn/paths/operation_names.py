"""Names of operations in the tree of paths: text or marks, as the names of an application say by now."""

from __future__ import annotations

from collections.abc import Callable

from levo.satellite.learn.paths.state import HASHED
from levo.satellite.learn.paths.trie import GRPC, OPERATIONS, Node
from levo.satellite.learn.schema.names import MARK

_DEPTH = {OPERATIONS: 1, GRPC: 2}
"""How many levels of names are below each marker: operations; services and their methods."""


def names_of(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of operations among the *keys* of a place."""
    for at, key in enumerate(keys):
        if key in _DEPTH:
            return tuple(name for name in keys[at + 1 : at + 1 + _DEPTH[key]] if "{" not in name)
    return ()


def settle_place(place: str, settled: Callable[[str], str]) -> str:
    """Return the key of *place* with its names as they are *settled*."""
    if "/#" not in place:
        return place
    parts = place.split("/")
    for at, key in enumerate(parts):
        if key in _DEPTH:
            for below in range(at + 1, min(len(parts), at + 1 + _DEPTH[key])):
                if "{" not in parts[below] and not parts[below].startswith(HASHED):
                    parts[below] = settled(parts[below])
            break
    return "/".join(parts)


def settle_tree(root: Node, settled: Callable[[str], str]) -> bool:
    """Rename the operations below *root* as they are *settled*; return whether one changed its name."""
    changed = False
    stack = [root]
    while stack:
        node = stack.pop()
        for key, kid in node.kids.items():
            if key in _DEPTH:
                changed |= _settle(kid, _DEPTH[key], settled)
            else:
                stack.append(kid)
    return changed


def _settle(node: Node, depth: int, settled: Callable[[str], str]) -> bool:
    changed = False
    for key in list(node.kids):
        if "{" in key:
            continue
        kid = node.kids[key]
        if depth > 1:
            changed |= _settle(kid, depth - 1, settled)
        new = settled(key)
        if new != key:
            changed = True
            del node.kids[key]
            known = node.kids.get(new)
            if known is None:
                node.kids[new] = kid
            else:
                known.absorb(kid)
    return changed


def has_marks(root: Node) -> bool:
    """Whether some operation below *root* has no proven name."""
    stack = [root]
    while stack:
        node = stack.pop()
        for key, kid in node.kids.items():
            if key[:1] == MARK:
                return True
            stack.append(kid)
    return False


def is_unproven(path: str) -> bool:
    """Whether *path*, of an endpoint, is that of an operation whose name is not proven."""
    return any(part[:1] == MARK for part in path.replace("#", "/").split("/"))
