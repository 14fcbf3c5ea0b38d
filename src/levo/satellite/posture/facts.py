"""What rules look at: of each endpoint the counts of access, the sensitive fields and the signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from levo.satellite.learn.access import SUCCESS, Access
from levo.satellite.learn.authentication import authentication_of
from levo.satellite.learn.signs import Sign
from levo.satellite.posture.model import Authentication, Place
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.sensitive import SensitiveFilter


@dataclass(frozen=True, slots=True)
class SensitiveData:
    """One field with sensitive data that nobody has rejected."""

    kind: str
    category: str
    location: str
    """``response-body:200:items/*/email``."""
    confidence: float
    contained: bool
    """Inside longer texts rather than the whole value."""

    @property
    def in_success(self) -> bool:
        """Whether it is in the answer to a request that succeeded."""
        return self.location.startswith(("response-body:2", "response-header:2"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint."""

    place: Place
    exchanges: float
    traces: int
    first_seen_ns: int
    last_seen_ns: int
    statuses: dict[str, float]
    schemes: tuple[str, ...] = ()
    access: Access = field(default_factory=Access)
    sensitive: tuple[SensitiveData, ...] = ()
    signs: tuple[Sign, ...] = ()

    def signs_called(self, name: str) -> list[Sign]:
        """Return the signs of one name."""
        return [sign for sign in self.signs if sign.name == name]

    def marked(self, name: str) -> float:
        """Return how many exchanges have a mark (``learn.marks``)."""
        return self.access.marks.get(name, 0.0)

    @property
    def anonymous(self) -> float:
        """Successes without a credential."""
        return self.access.anonymous[SUCCESS]

    @property
    def successes(self) -> float:
        """All successes."""
        return self.access.anonymous[SUCCESS] + self.access.credential[SUCCESS]

    @property
    def is_private(self) -> bool:
        """Whether clients were seen, and none of them on the Internet."""
        return self.access.private > 0 and not self.access.public

    @property
    def authentication(self) -> Authentication:
        """What traffic says about who may call it."""
        return authentication_of(self.access)


@dataclass(frozen=True, slots=True)
class Application:
    """The endpoints of one application, of all its environments and hosts, in a fixed order."""

    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that rules look at."""

    applications: tuple[Application, ...] = ()


def facts_of(endpoints: Iterable[Endpoint]) -> Facts:
    """Return *endpoints* as rules take them, in an order that does not depend on theirs."""
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for each in endpoints:
        groups.setdefault((each.place.organization, each.place.application), []).append(each)
    return Facts(
        tuple(
            Application(tuple(sorted(group, key=lambda each: _order(each.place))))
            for _, group in sorted(groups.items(), key=lambda item: item[0])
        )
    )


def _order(place: Place) -> tuple[str, ...]:
    return (place.environment, place.host, place.path, place.method)


def read_facts(reader: CatalogReader) -> Facts:
    """Read what rules look at of all that *reader* may see."""
    _, found = reader.sensitive(SensitiveFilter(), limit=-1)
    by_endpoint: dict[int, list[SensitiveData]] = {}
    for item in found:
        if item.verdict != "reject":
            by_endpoint.setdefault(item.endpoint, []).append(
                SensitiveData(item.kind, item.category, item.location, item.confidence, item.contained)
            )
    signs = reader.signs()
    endpoints = []
    for row in reader.each_endpoint(EndpointFilter()):
        endpoints.append(
            Endpoint(
                Place(
                    row.organization, row.environment, row.application, row.host, row.method, row.path, row.id
                ),
                row.exchanges,
                row.traces,
                row.first_seen_ns,
                row.last_seen_ns,
                row.statuses,
                row.schemes,
                row.access,
                tuple(sorted(by_endpoint.get(row.id, ()), key=lambda each: (each.location, each.kind))),
                signs.get(row.id, ()),
            )
        )
    return facts_of(endpoints)
