"""Find what the user means: regions, clusters, services, and the definitions that they run. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from levo.ecs.api import Account, ConnectionFailed, DeniedError, Ecs, NotFoundError
from levo.ecs.arn import definition_name, last_part
from levo.ecs.definition import TaskDefinition
from levo.ecs.model import EcsError, EcsInputError, image_version, is_sensor
from levo.ecs.plan import Target, service_problem
from levo.ecs.state import Cluster, Service


@dataclass(frozen=True, slots=True)
class Regions:
    names: tuple[str, ...]
    problem: str | None = None
    """Why this is the built-in list and not the account's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster in its region."""

    region: str
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Search:
    """What a search over regions found."""

    places: tuple[Place, ...]
    refused: tuple[tuple[str, EcsError], ...]
    """Regions that could not be looked at, and why."""


@dataclass(frozen=True, slots=True)
class Found:
    """The chosen services by definition, and those on the same families that were not chosen."""

    targets: tuple[Target, ...]
    others: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """One service, and the sensor beside it if there is one."""

    region: str
    service: Service
    container: str | None
    """Name of the sensor's container; None when there is none."""
    version: str | None
    image: str | None


def regions(account: Account) -> Regions:
    """The account's regions, else the built-in list with the reason."""
    try:
        return Regions(tuple(account.regions()))
    except (DeniedError, ConnectionFailed) as error:
        return Regions(tuple(account.known_regions()), f"{error}; this is the built-in list")


def search(account: Account, names: Sequence[str], progress: Callable[[int, str], None]) -> Search:
    """Clusters of all regions in *names*. *progress* is told how many are done, and which one is looked at.

    Raises:
        EcsError: every region refused; the first one's reason.
    """
    places: list[Place] = []
    refused: list[tuple[str, EcsError]] = []
    for done, name in enumerate(names):
        progress(done, name)
        try:
            places += [Place(name, cluster) for cluster in account.ecs(name).clusters()]
        except (DeniedError, ConnectionFailed) as error:
            refused.append((name, error))
    progress(len(names), "")
    if names and len(refused) == len(names):
        raise refused[0][1]
    return Search(tuple(places), tuple(refused))


def find_targets(
    ecs: Ecs,
    *,
    cluster: str | None,
    family: str | None,
    services: Sequence[str],
    all_services: bool,
    register_only: bool,
) -> Found:
    """What the flags name.

    Raises:
        EcsInputError: they name nothing, or too much.
        NotFoundError: no such cluster, service or definition.
    """
    if register_only:
        if family is None:
            raise EcsInputError("--register-only needs --family: which task definition?")
        return Found((Target(ecs.definition(family)),))
    if cluster is None:
        raise EcsInputError("--cluster is missing; levo ecs status shows the clusters")
    if services:
        return Found(tuple(group(ecs, _named(ecs, cluster, family, services))))
    if family is None and not all_services:
        raise EcsInputError("--service is missing (or --family, or --all-services)")
    there = ecs.services(cluster)
    on_it = [service for service in there if family is None or _runs(service, family)]
    if not on_it:
        what = f"runs {family}" if family else "exists"
        raise EcsInputError(
            f"no service in cluster {last_part(cluster)} {what}; "
            "write --register-only to write a revision that no service runs yet"
        )
    if len(on_it) > 1 and not all_services:
        names = ", ".join(service.name for service in on_it)
        raise EcsInputError(
            f"{len(on_it)} services run {family}: {names}; choose with --service or --all-services"
        )
    return Found(tuple(group(ecs, on_it)))


def group(ecs: Ecs, services: Sequence[Service]) -> Iterator[Target]:
    """The services by the revision they run, each described once.

    The base of a new revision is what a service runs, which need not be the newest of its family.
    """
    by_definition: dict[str, list[Service]] = {}
    for service in services:
        if not service.task_definition:
            # A service of task sets whose controller has made none yet.
            problem = service_problem(service)
            raise EcsInputError(problem.text if problem else f"service {service.name} has no task definition")
        by_definition.setdefault(service.task_definition, []).append(service)
    for arn, some in by_definition.items():
        yield Target(ecs.definition(arn), tuple(some))


def others_on(services: Sequence[Service], chosen: Sequence[Service]) -> tuple[Service, ...]:
    """Services on the families of *chosen* that are not among them."""
    families = {service.family for service in chosen}
    arns = {service.arn for service in chosen}
    return tuple(item for item in services if item.family in families and item.arn not in arns)


def placements(ecs: Ecs, cluster: Cluster) -> Iterator[Placement]:
    """Every service of a cluster, with the sensor beside it or without."""
    known: dict[str, TaskDefinition] = {}
    for service in ecs.services(cluster.arn):
        arn = service.task_definition
        if not arn:
            yield Placement(ecs.region, service, None, None, None)
            continue
        if arn not in known:
            known[arn] = ecs.definition(arn)
        container = next((item for item in known[arn].containers if is_sensor(item)), None)
        if container is None:
            yield Placement(ecs.region, service, None, None, None)
        else:
            image = str(container.get("image", ""))
            yield Placement(ecs.region, service, str(container.get("name")), image_version(image), image)


def earlier_revision(ecs: Ecs) -> Callable[[str], TaskDefinition | None]:
    """A look-up for ``plan_remove``: a revision by name, or None when it was deleted."""

    def look_up(name: str) -> TaskDefinition | None:
        try:
            return ecs.definition(name)
        except DeniedError:
            raise
        except EcsError:
            return None

    return look_up


def _named(ecs: Ecs, cluster: str, family: str | None, names: Sequence[str]) -> list[Service]:
    wanted = list(dict.fromkeys(names))
    found = ecs.describe(cluster, wanted)
    for name in wanted:
        if not any(service.name == last_part(name) for service in found):
            raise NotFoundError(
                "ecs:DescribeServices", "MISSING", f"no service '{name}' in cluster {last_part(cluster)}"
            )
    for service in found:
        if family is not None and not _runs(service, family):
            raise EcsInputError(
                f"service {service.name} runs {service.revision}, not {family}; "
                "leave --family out or correct it"
            )
    return found


def _runs(service: Service, family: str) -> bool:
    """Whether the service runs that family, or that very revision where one is given."""
    wanted = definition_name(family)
    return service.revision == wanted if ":" in wanted else service.family == wanted
