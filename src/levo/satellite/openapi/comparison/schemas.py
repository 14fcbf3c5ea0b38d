"""The changes between two schemas: each place is looked at once, so that each cause is said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import zip_longest

from levo.satellite.openapi.comparison.values import (
    LOWER,
    TYPES,
    Facet,
    Parts,
    Reader,
    Values,
    canonical,
)
from levo.satellite.openapi.comparison.verdict import Change, Effect, Level, Place

_WIDER_FORMATS = {("number", "int64"): {"int32"}, ("number", "double"): {"float"}}
_ANY_PATTERN = frozenset((".*", "^.*$", ""))
_MAX_PAIRS = 200_000
"""Pairs of places that one comparison looks at."""


class SchemaChanges:
    """Compares schemas of two documents and tells what changed."""

    def __init__(self, old: Reader, new: Reader, tell: Callable[[Change], None]) -> None:
        self.readers = (old, new)
        self._old, self._new = old, new
        self._tell = tell
        self._walked: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        self._equal: set[tuple[tuple[int, ...], tuple[int, ...], bool, bool]] = set()
        """Pairs that were walked whole without a change, with what that depends on."""
        self._left = _MAX_PAIRS

    @property
    def exhausted(self) -> bool:
        """Whether a bound was reached, so that there may be more changes."""
        return self._left <= 0 or any(reader.exhausted for reader in self.readers)

    def compare(self, old: Parts, new: Parts, place: Place) -> None:
        """Tell all changes from *old* to *new*, the whole schemas of one message or parameter."""
        self._walked = set()
        told = self._changed(lambda: self._nodes(old, new, place))
        for change in told:
            self._tell(change)
        if not told:
            self._equal.update((*pair, place.response, place.text) for pair in self._walked)

    def _changed(self, walk: Callable[[], None]) -> list[Change]:
        """Return what *walk* tells."""
        told: list[Change] = []
        outer, self._tell = self._tell, told.append
        try:
            walk()
        finally:
            self._tell = outer
        return told

    def _say(
        self, place: Place, kind: str, effect: Effect, detail: str = "", level: Level | None = None
    ) -> None:
        decided = place.level(effect) if level is None or place.muted else level
        self._tell(place.change(kind, decided, detail))

    def _nodes(self, old: Parts, new: Parts, place: Place) -> None:
        pair = (self._old.key(old), self._new.key(new))
        if pair in self._walked or (*pair, place.response, place.text) in self._equal or self._left <= 0:
            return
        self._left -= 1
        self._walked.add(pair)
        before, after = self._old.values(old), self._new.values(new)
        self._annotations(before, after, place)
        if not old or not new:
            self._whole(before, after, place)
            return
        self._types(before, after, place)
        if before.any or after.any:
            return
        for kind in TYPES:
            one, other = before.facets.get(kind, []), after.facets.get(kind, [])
            if len(one) == 1 and len(other) == 1:
                self._facet(one[0], other[0], place)
            elif one and other:
                self._alternatives(one, other, place)

    def _whole(self, before: Values, after: Values, place: Place) -> None:
        """A schema came where nothing had been said, or went."""
        if before.any != after.any:
            narrows = before.any
            self._say(
                place,
                "schema",
                Effect.NARROWS if narrows else Effect.WIDENS,
                "added" if narrows else "removed",
            )

    def _annotations(self, before: Values, after: Values, place: Place) -> None:
        old, new = before.annotations, after.annotations
        for name in ("readOnly", "writeOnly", "deprecated"):
            if (name in old) != (name in new) and place.pointer:
                self._say(place, name, Effect.NONE, "set" if name in new else "unset")
        if canonical(old.get("default")) != canonical(new.get("default")):
            detail = f"{_text(old, 'default')} to {_text(new, 'default')}"
            self._say(place, "default", Effect.NONE, detail)

    def _types(self, before: Values, after: Values, place: Place) -> None:
        old, new = before.facets, after.facets
        if ("null" in old) != ("null" in new):
            effect = Effect.WIDENS if "null" in new else Effect.NARROWS
            self._say(place, "nullable", effect, "now null as well" if "null" in new else "no longer null")
        gone = {kind for kind in old if kind not in new and kind != "null"}
        come = {kind for kind in new if kind not in old and kind != "null"}
        if "number" in old and "number" in new:
            was, is_now = (all(each.integer for each in side["number"]) for side in (old, new))
            if was != is_now:
                (gone if is_now else come).add("number")
        if place.text and _free_text(after):
            gone -= {"number", "boolean"}
        if place.text and _free_text(before):
            come -= {"number", "boolean"}
        effect = _effect(bool(gone), bool(come))
        if effect is not Effect.NONE:
            self._say(place, "type", effect, f"{_named(before)} to {_named(after)}")

    def _alternatives(self, old: list[Facet], new: list[Facet], place: Place) -> None:
        """Compare several alternatives of one type: equal ones, then those of one name, then what is left."""
        pairs: list[tuple[Facet, Facet]] = []
        left, right = list(old), list(new)
        costs: dict[tuple[int, int], list[Change]] = {}
        for equal_only in (True, False):
            for one in list(left):
                for other in list(right):
                    named = one.label and one.label == other.label
                    if named if not equal_only else not self._differs(one, other, place, costs):
                        if not equal_only:
                            pairs.append((one, other))
                        left.remove(one)
                        right.remove(other)
                        break
        if len(left) == 1 and len(right) == 1:
            pairs.append((left.pop(), right.pop()))
        for one, other in pairs:
            self._facet(one, other, place)
        for each in left:
            if not any(self._within(each, other, place) for other in new):
                self._say(place, "alternative removed", Effect.NARROWS, each.label or each.type)
        for each in right:
            if not any(self._within(each, other, place, backward=True) for other in old):
                self._say(place, "alternative added", Effect.WIDENS, each.label or each.type)

    def _differs(
        self, one: Facet, other: Facet, place: Place, known: dict[tuple[int, int], list[Change]]
    ) -> bool:
        key = (id(one), id(other))
        if key not in known:
            known[key] = self._silently(one, other, place)
        return bool(known[key])

    def _silently(self, one: Facet, other: Facet, place: Place) -> list[Change]:
        walked = self._walked
        self._walked = set(walked)
        try:
            return self._changed(lambda: self._facet(one, other, place))
        finally:
            self._walked = walked

    def _within(self, one: Facet, other: Facet, place: Place, *, backward: bool = False) -> bool:
        """Whether all that *one* allows, *other* allows; *backward*: *one* is of the new document."""
        asked = replace(place, response=False, muted=False)
        if backward:
            other, one, asked = one, other, replace(asked, response=True)
        return not any(change.level is not Level.COMPATIBLE for change in self._silently(one, other, asked))

    def _facet(self, old: Facet, new: Facet, place: Place) -> None:
        if old.sources == new.sources and old is new:
            return
        if old.type in ("number", "string"):
            self._format(old, new, place)
        self._enumeration(old, new, place)
        self._bounds(old, new, place)
        if old.type == "object":
            self._object(old, new, place)
        elif old.type == "array":
            self._array(old, new, place)
        for name in sorted(old.rest.keys() | new.rest.keys()):
            if old.rest.get(name) != new.rest.get(name):
                effect = _effect(name in new.rest, name in old.rest)
                if name in ("contentMediaType", "contentEncoding"):
                    effect = Effect.CHANGES
                word = "changed" if effect is Effect.CHANGES else "added" if name in new.rest else "removed"
                self._say(place, name, effect, word)

    def _format(self, old: Facet, new: Facet, place: Place) -> None:
        if old.format == new.format or (old.type == "number" and old.integer != new.integer):
            return
        wider = old.format in _WIDER_FORMATS.get((old.type, new.format), ()) or not new.format
        narrower = new.format in _WIDER_FORMATS.get((old.type, old.format), ()) or not old.format
        effect = Effect.WIDENS if wider else Effect.NARROWS if narrower else Effect.CHANGES
        self._say(place, "format", effect, f"{old.format or 'none'} to {new.format or 'none'}")

    def _enumeration(self, old: Facet, new: Facet, place: Place) -> None:
        before, after = old.values, new.values
        if before == after:
            return
        if before is None or after is None:
            constant = (old if after is None else new).constant
            effect = Effect.NARROWS if before is None else Effect.WIDENS
            level = Level.WARNING if effect is Effect.WIDENS and place.response and not constant else None
            detail = "now an enum" if before is None else "no longer an enum"
            self._say(place, "enum", effect, detail, level)
            return
        gone, come = sorted(before - after), sorted(after - before)
        if old.constant and new.constant:
            self._say(place, "enum", Effect.CHANGES, f"{_list(gone)} to {_list(come)}")
            return
        if gone:
            self._say(place, "enum", Effect.NARROWS, f"without {_list(gone)}")
        if come:
            level = Level.WARNING if place.response else None
            self._say(place, "enum", Effect.WIDENS, f"with {_list(come)}", level)

    def _bounds(self, old: Facet, new: Facet, place: Place) -> None:
        for name in sorted(old.bounds.keys() | new.bounds.keys()):
            before, after = old.bounds.get(name), new.bounds.get(name)
            if before != after:
                effect = Effect.NARROWS if _is_tighter(name, before, after) else Effect.WIDENS
                self._say(place, name, effect, f"{_bound(before)} to {_bound(after)}")
        if old.factor != new.factor:
            widens = new.factor is None or _divides(new.factor, old.factor)
            narrows = old.factor is None or _divides(old.factor, new.factor)
            effect = Effect.WIDENS if widens else Effect.NARROWS if narrows else Effect.CHANGES
            detail = f"{_number(old.factor)} to {_number(new.factor)}"
            self._say(place, "multipleOf", effect, detail)
        if old.unique != new.unique:
            effect = Effect.NARROWS if new.unique else Effect.WIDENS
            self._say(place, "uniqueItems", effect, "set" if new.unique else "unset")
        if old.pattern != new.pattern:
            free = [not set(each.pattern) - _ANY_PATTERN for each in (old, new)]
            if all(free):
                return
            effect = Effect.WIDENS if free[1] else Effect.NARROWS if free[0] else Effect.CHANGES
            detail = f"{' and '.join(old.pattern) or 'none'} to {' and '.join(new.pattern) or 'none'}"
            self._say(place, "pattern", effect, detail, Level.WARNING if effect is Effect.CHANGES else None)

    def _object(self, old: Facet, new: Facet, place: Place) -> None:
        for name in sorted(old.properties.keys() | new.properties.keys()):
            here = place.at(name)
            was, is_now = name in old.required, name in new.required
            if name not in new.properties:
                self._gone(old, new, name, here, is_now)
            elif name not in old.properties:
                self._come(old, new, name, here, is_now)
            else:
                one, other = old.properties[name], new.properties[name]
                before, after = self._old.values(one).annotations, self._new.values(other).annotations
                mark = "writeOnly" if place.response else "readOnly"
                here = replace(here, muted=place.muted or (mark in before and mark in after))
                if was != is_now:
                    effect = Effect.NARROWS if is_now else Effect.WIDENS
                    self._say(here, "required" if is_now else "optional", effect)
                self._nodes(one, other, here)
        self._additional(old, new, place)

    def _gone(self, old: Facet, new: Facet, name: str, place: Place, needed: bool) -> None:
        annotations = self._old.values(old.properties[name]).annotations
        if place.response:
            effect = Effect.WIDENS if name in old.required else Effect.NONE
            if "writeOnly" in annotations or needed:
                effect = Effect.NONE
            self._say(place, "removed", effect)
        elif "readOnly" in annotations:
            self._say(place, "removed", Effect.NONE)
        else:
            level = Level.BREAKING if new.closed else Level.WARNING
            self._say(place, "removed", Effect.CHANGES, level=level)

    def _come(self, old: Facet, new: Facet, name: str, place: Place, needed: bool) -> None:
        annotations = self._new.values(new.properties[name]).annotations
        effect = Effect.NONE
        if needed and not place.response and "readOnly" not in annotations and name not in old.required:
            effect = Effect.NARROWS
        self._say(place, "added", effect, "required" if needed else "optional")

    def _additional(self, old: Facet, new: Facet, place: Place) -> None:
        if old.closed != new.closed:
            effect = Effect.NARROWS if new.closed else Effect.WIDENS
            level = None
            if place.response and effect is Effect.WIDENS:
                level = (
                    Level.COMPATIBLE
                )  # clients take properties that they do not know, as when one is added
            detail = "no longer allowed" if new.closed else "allowed"
            self._say(place, "additionalProperties", effect, detail, level)
        elif not old.closed:
            if old.others and new.others:
                self._nodes(old.others, new.others, place.at("{key}"))
            elif old.others or new.others:
                self._whole(self._old.values(old.others), self._new.values(new.others), place.at("{key}"))

    def _array(self, old: Facet, new: Facet, place: Place) -> None:
        here = place.at("*")
        if old.closed_items == new.closed_items:
            if old.items or new.items:
                self._nodes(old.items, new.items, here)
        else:
            self._say(here, "items", Effect.NARROWS if new.closed_items else Effect.WIDENS)
        for number, (one, other) in enumerate(zip_longest(old.prefix, new.prefix)):
            spot = place.at(str(number))
            if one is None or other is None:
                self._say(spot, "prefixItems", Effect.NARROWS if one is None else Effect.WIDENS)
            else:
                self._nodes(one, other, spot)


def _effect(narrows: bool, widens: bool) -> Effect:
    if narrows and widens:
        return Effect.CHANGES
    return Effect.NARROWS if narrows else Effect.WIDENS if widens else Effect.NONE


def _free_text(values: Values) -> bool:
    """Whether any text is allowed."""
    return any(
        each.values is None and not (each.bounds or each.pattern or each.format or each.rest)
        for each in values.facets.get("string", ())
    )


def _named(values: Values) -> str:
    names = [
        "integer" if kind == "number" and all(each.integer for each in values.facets[kind]) else kind
        for kind in TYPES
        if kind in values.facets and kind != "null"
    ]
    return "any" if len(names) == len(TYPES) - 1 else " or ".join(names) or "nothing"


def _is_tighter(name: str, before: tuple[float, bool] | None, after: tuple[float, bool] | None) -> bool:
    if before is None or after is None:
        return before is None
    if before[0] == after[0]:
        return after[1]
    return after[0] > before[0] if name in LOWER else after[0] < before[0]


def _bound(bound: tuple[float, bool] | None) -> str:
    return "none" if bound is None else f"{_number(bound[0])}{' exclusive' if bound[1] else ''}"


def _number(value: float | None) -> str:
    return "none" if value is None else canonical(value).decode()


def _divides(factor: float | None, of: float | None) -> bool:
    if not factor or of is None:
        return False
    parts = of / factor
    return abs(parts - round(parts)) < 1e-9


def _list(values: Iterable[bytes]) -> str:
    shown = [each.decode().strip('"') for each in values]
    more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    return ", ".join(shown[:10]) + more


def _text(annotations: dict[str, object], name: str) -> str:
    return canonical(annotations[name]).decode() if name in annotations else "none"
