"""Two descriptions of one API: what changed for the clients of the old one, and whether it breaks them.

Breaking is seen from a client that was written for the old document: a request that it may send is refused
(requests must not allow less), or a response comes that it does not expect (responses must not allow more).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from levo.satellite.openapi.comparison.description import (
    Described,
    Description,
    Document,
    Requirement,
    base_paths,
    server_urls,
)
from levo.satellite.openapi.comparison.schemas import SchemaChanges
from levo.satellite.openapi.comparison.values import Reader, canonical
from levo.satellite.openapi.comparison.verdict import Change, Effect, Level, Place
from levo.satellite.openapi.operation import comparable

_EVERY = "*"
_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}


def diff(old: Document, new: Document) -> list[Change]:
    """Return the changes from *old* to *new*, in order; both are OpenAPI 3.0 or 3.1."""
    return _Contract(Description(old), Description(new)).changes()


class _Contract:
    def __init__(self, old: Description, new: Description) -> None:
        self._old, self._new = old, new
        self._changes: list[Change] = []
        self._schemas = SchemaChanges(Reader(old), Reader(new), self._changes.append)

    def changes(self) -> list[Change]:
        before, after = self._operations()
        shared = before.keys() & after.keys()
        self._document_security([(before[key], after[key]) for key in shared])
        for key in sorted(before.keys() | after.keys()):
            if key not in after:
                gone = before[key]
                sanctioned = gone.deprecated and "x-sunset" not in gone.operation
                level = Level.COMPATIBLE if sanctioned else Level.BREAKING
                detail = "was deprecated" if gone.deprecated else ""
                self._add(Place(gone.path, gone.method, "operation"), "removed", level, detail)
            elif key not in before:
                self._add(Place(after[key].path, after[key].method, "operation"), "added", Level.COMPATIBLE)
            else:
                self._operation(before[key], after[key])
        self._webhooks()
        if self._schemas.exhausted:
            self._add(
                Place(_EVERY, _EVERY, "schemas"), "not compared", Level.WARNING, "too many to compare all"
            )
        return sorted(set(self._changes))

    def _add(self, place: Place, kind: str, level: Level, detail: str = "") -> None:
        self._changes.append(place.change(kind, level, detail))

    def _operations(self) -> tuple[dict[Any, Described], dict[Any, Described]]:
        """Return what is to be compared with what, by whole paths where server paths changed."""
        before, after = self._old.operations, self._new.operations
        bases = base_paths(self._old.document.get("servers")), base_paths(self._new.document.get("servers"))
        urls = [set(server_urls(each.document.get("servers"))) for each in (self._old, self._new)]
        place = Place(_EVERY, _EVERY, "servers")
        if set(bases[0]) == set(bases[1]) or not before or not after:
            for url in sorted(urls[0] - urls[1]):
                self._add(place, "server removed", Level.COMPATIBLE, url)
            for url in sorted(urls[1] - urls[0]):
                self._add(place, "server added", Level.COMPATIBLE, url)
            return dict(before), dict(after)
        whole = [
            {(method, comparable(f"{each.servers[0]}{path}")): each for (method, path), each in side.items()}
            for side in (before, after)
        ]
        if whole[0].keys() & whole[1].keys() or not before.keys() & after.keys():
            return whole[0], whole[1]
        gone, come = set(bases[0]) - set(bases[1]), set(bases[1]) - set(bases[0])
        detail = (
            f"{', '.join(each or '/' for each in bases[0])} to {', '.join(each or '/' for each in bases[1])}"
        )
        self._add(
            place, "server path", Level.BREAKING if gone else Level.COMPATIBLE, detail if gone or come else ""
        )
        return dict(before), dict(after)

    def _webhooks(self) -> None:
        old, new = (each.document.get("webhooks") for each in (self._old, self._new))
        before = set(old) if isinstance(old, Mapping) else set()
        after = set(new) if isinstance(new, Mapping) else set()
        for name in sorted(before ^ after):
            level = Level.BREAKING if name in before else Level.COMPATIBLE
            kind = "removed" if name in before else "added"
            self._add(Place(_EVERY, _EVERY, f"webhook {name}"), kind, level)

    def _document_security(self, pairs: list[tuple[Described, Described]]) -> None:
        """Compare what holds for all operations once, where operations inherit it on both sides."""
        inherited = [(a, b) for a, b in pairs if a.inherits_security and b.inherits_security]
        if inherited:
            self._security(
                Place(_EVERY, _EVERY, "security"), inherited[0][0].security, inherited[0][1].security
            )

    def _operation(self, before: Described, after: Described) -> None:
        place = Place(after.path, after.method, "operation")
        if after.deprecated != before.deprecated:
            self._add(place, "deprecated" if after.deprecated else "no longer deprecated", Level.COMPATIBLE)
        own = [each.operation.get("servers") for each in (before, after)]
        if any(own) and set(base_paths(own[0])) - set(base_paths(own[1])):
            self._add(replace(place, where="servers"), "server path", Level.BREAKING)
        self._parameters(before, after)
        self._request(before, after)
        self._responses(before, after)
        if not (before.inherits_security and after.inherits_security):
            self._security(replace(place, where="security"), before.security, after.security)

    def _parameters(self, before: Described, after: Described) -> None:
        for key in sorted(before.parameters.keys() | after.parameters.keys()):
            old, new = before.parameters.get(key), after.parameters.get(key)
            name = str((new or old or {}).get("name", key[1]))
            place = Place(after.path, after.method, f"{key[0]} {name}", text=True)
            if new is None:
                sanctioned = (old or {}).get("deprecated") is True and "x-sunset" not in (old or {})
                self._add(place, "removed", Level.COMPATIBLE if sanctioned else Level.WARNING)
            elif old is None:
                required = new.get("required") is True or key[0] == "path"
                level = Level.BREAKING if required else Level.COMPATIBLE
                self._add(place, "added", level, "required" if required else "optional")
            else:
                self._parameter(old, new, key[0], place)

    def _parameter(self, old: Mapping[str, Any], new: Mapping[str, Any], where: str, place: Place) -> None:
        if where != "path":
            self._required(old, new, place)
        if (new.get("deprecated") is True) != (old.get("deprecated") is True):
            word = "deprecated" if new.get("deprecated") is True else "no longer deprecated"
            self._add(place, word, Level.COMPATIBLE)
        style, other = (each.get("style", _STYLES.get(where, "")) for each in (old, new))
        if style != other:
            self._add(place, "style", Level.BREAKING, f"{style} to {other}")
        elif _explodes(old, style) != _explodes(new, style) and self._is_composite(old, new):
            self._add(
                place,
                "explode",
                Level.BREAKING,
                f"{_word(_explodes(old, style))} to {_word(_explodes(new, style))}",
            )
        if new.get("allowReserved") is not True and old.get("allowReserved") is True:
            self._add(place, "allowReserved", Level.BREAKING, "true to false")
        if isinstance(old.get("content"), Mapping) or isinstance(new.get("content"), Mapping):
            self._contents(self._old.content(old), self._new.content(new), replace(place, text=False))
        else:
            self._schemas.compare(_schema(old), _schema(new), place)

    def _is_composite(self, *parameters: Mapping[str, Any]) -> bool:
        """Whether a value may be an array or an object, which alone are written in more than one way."""
        return any(
            kind in reader.values(_schema(each)).facets
            for reader, each in zip(self._schemas.readers, parameters, strict=True)
            for kind in ("array", "object")
        )

    def _required(self, old: Mapping[str, Any], new: Mapping[str, Any], place: Place) -> None:
        was, is_now = old.get("required") is True, new.get("required") is True
        if was != is_now:
            effect = Effect.NARROWS if is_now else Effect.WIDENS
            self._add(place, "required" if is_now else "optional", place.level(effect))

    def _request(self, before: Described, after: Described) -> None:
        old = self._old.resolve(before.operation.get("requestBody"))
        new = self._new.resolve(after.operation.get("requestBody"))
        place = Place(after.path, after.method, "request")
        if new and not old:
            required = new.get("required") is True
            level = Level.BREAKING if required else Level.COMPATIBLE
            self._add(place, "added", level, "required" if required else "optional")
        elif old and not new:
            self._add(place, "removed", Level.BREAKING)
        elif old and new:
            self._required(old, new, place)
            self._contents(self._old.content(old), self._new.content(new), place)

    def _responses(self, before: Described, after: Described) -> None:
        old, new = self._old.responses(before), self._new.responses(after)
        for status in sorted(old.keys() | new.keys()):
            place = Place(after.path, after.method, f"response {status}", response=True)
            if status not in new:
                success = status.startswith("2")
                self._add(place, "removed", Level.BREAKING if success else Level.COMPATIBLE)
            elif status not in old:
                self._add(place, "added", Level.COMPATIBLE)
            else:
                self._headers(old[status], new[status], place)
                self._contents(self._old.content(old[status]), self._new.content(new[status]), place)

    def _headers(self, old: Mapping[str, Any], new: Mapping[str, Any], place: Place) -> None:
        before, after = self._old.headers(old), self._new.headers(new)
        for name in sorted(before.keys() | after.keys()):
            here = replace(place, where=f"{place.where} header {name}", text=True)
            if name not in after:
                required = before[name].get("required") is True
                self._add(here, "removed", Level.BREAKING if required else Level.WARNING)
            elif name not in before:
                self._add(here, "added", Level.COMPATIBLE)
            else:
                self._required(before[name], after[name], here)
                self._schemas.compare(_schema(before[name]), _schema(after[name]), here)

    def _contents(
        self, old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]], place: Place
    ) -> None:
        for media in sorted(old.keys() | new.keys()):
            here = replace(place, where=f"{place.where} {media}", text=_is_text(media))
            if media not in new:
                self._media_removed(media, old, new, here)
            elif media not in old:
                if not any(_covers(media, each) for each in old.keys() - new.keys()):
                    self._add(here, "added", Level.COMPATIBLE)
            else:
                self._schemas.compare(_schema(old[media]), _schema(new[media]), here)
                self._encodings(old[media], new[media], here)

    def _media_removed(
        self, media: str, old: Mapping[str, Any], new: Mapping[str, Any], place: Place
    ) -> None:
        wider = [each for each in new.keys() - old.keys() if _covers(each, media)]
        narrower = [each for each in new.keys() - old.keys() if _covers(media, each)]
        if wider or narrower:
            effect = Effect.WIDENS if wider else Effect.NARROWS
            self._add(place, "media type", place.level(effect), f"now {(wider or narrower)[0]}")
        else:
            self._add(place, "removed", Level.BREAKING)

    def _encodings(self, old: Mapping[str, Any], new: Mapping[str, Any], place: Place) -> None:
        before, after = (each.get("encoding") for each in (old, new))
        before = before if isinstance(before, Mapping) else {}
        after = after if isinstance(after, Mapping) else {}
        for name in sorted(before.keys() & after.keys()):
            one, other = self._old.resolve(before[name]), self._new.resolve(after[name])
            for what in ("contentType", "style", "explode"):
                if one.get(what) != other.get(what):
                    detail = f"{what} {_word(one.get(what))} to {_word(other.get(what))}"
                    self._add(place.at(str(name)), "encoding", Level.BREAKING, detail)

    def _security(self, place: Place, old: tuple[Requirement, ...], new: tuple[Requirement, ...]) -> None:
        before = {frozenset(each): each for each in old}
        after = {frozenset(each): each for each in new}
        if frozenset() in after and frozenset() not in before:
            self._add(place, "added", Level.COMPATIBLE, "none")
            return  # whoever sends credentials is served as well
        for names in sorted(before.keys() - after.keys(), key=sorted):
            self._add(place, "removed", Level.BREAKING, "+".join(sorted(names)) or "none")
        for names in sorted(after.keys() - before.keys(), key=sorted):
            self._add(place, "added", Level.COMPATIBLE, "+".join(sorted(names)))
        for names in sorted(before.keys() & after.keys(), key=sorted):
            for name in sorted(names):
                for scope in sorted(after[names][name] - before[names][name]):
                    self._add(place, "scope added", Level.BREAKING, f"{name} {scope}")
                for scope in sorted(before[names][name] - after[names][name]):
                    self._add(place, "scope removed", Level.COMPATIBLE, f"{name} {scope}")


def _schema(holder: Mapping[str, Any]) -> tuple[Any, ...]:
    return (holder["schema"],) if "schema" in holder else ()


def _explodes(parameter: Mapping[str, Any], style: str) -> bool:
    return parameter["explode"] is True if "explode" in parameter else style == "form"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else "unset" if value is None else canonical(value).decode()


def _is_text(media: str) -> bool:
    """Whether scalars in bodies of *media* travel as text, so that a string may stand for any of them."""
    return "json" not in media


def _covers(wide: str, media: str) -> bool:
    """Whether the range *wide* has *media* in it."""
    kind, _, rest = wide.partition("/")
    return wide != media and rest == "*" and kind in ("*", media.partition("/")[0])
