"""``levo ecs status``: where the sensor runs, over clusters and regions, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from levo.cli.ecs_terminal import PlainTerminal
from levo.ecs import discover
from levo.ecs.api import Account, ConnectionFailed, Credentials, DeniedError, Ecs
from levo.ecs.model import CONTAINER_NAME, IMAGE, EcsError, EcsInputError, image_version
from levo.ecs.state import REMOVED, TAG_VERSION


def run_status(
    profile: str | None,
    region: str | None,
    endpoint: str | None,
    cluster: str | None,
    *,
    all_regions: bool,
    everything: bool,
    as_json: bool,
) -> int:
    """Print the table. Exit status 0, also when there is no sensor anywhere."""
    account = Account(Credentials(profile, endpoint))
    names = _regions(account, region, all_regions=all_regions)
    found: list[discover.Placement] = []
    refused: list[EcsError] = []
    terminal = PlainTerminal()
    for done, name in enumerate(names):
        if len(names) > 1 and not as_json:
            terminal.progress(done, len(names), name)
        try:
            found += _look(account.ecs(name), cluster)
        except (DeniedError, ConnectionFailed) as error:
            if len(names) == 1:
                raise
            refused.append(error)
            click.echo(f"levo: {name} was not looked at: {error}", err=True)
    if len(names) > 1 and not as_json:
        terminal.progress(len(names), len(names), "")
    if refused and len(refused) == len(names):
        raise refused[0]
    if as_json:
        click.echo(json.dumps([_record(item) for item in found], indent=2))
    else:
        _table(found, everything=everything, regions=names)
    return 0


def _regions(account: Account, region: str | None, *, all_regions: bool) -> Sequence[str]:
    if all_regions:
        known = discover.regions(account)
        if known.problem:
            click.echo(f"levo: {known.problem}", err=True)
        return known.names
    name = region or account.region
    if name is None:
        raise EcsInputError("--region is missing, and the profile names none; --all-regions looks everywhere")
    return [name]


def _look(ecs: Ecs, cluster: str | None) -> list[discover.Placement]:
    clusters = [ecs.cluster(cluster)] if cluster else ecs.clusters()
    return [placement for item in clusters for placement in discover.placements(ecs, item)]


def _record(item: discover.Placement) -> dict[str, object]:
    service = item.service
    return {
        "region": item.region,
        "cluster": service.cluster,
        "service": service.name,
        "serviceArn": service.arn,
        "taskDefinition": service.revision,
        "sensor": item.container is not None,
        "container": item.container,
        "version": item.version,
        "image": item.image,
        "state": _state(item),
        "running": service.running,
        "desired": service.desired,
    }


def _state(item: discover.Placement) -> str:
    """In a word: what the service does, and what is odd about the sensor in it."""
    service = item.service
    failed = any(deployment.rollout_state == "FAILED" for deployment in service.deployments)
    words = ["rollout failed" if failed else "rolling out" if service.rolling_out else "steady"]
    if item.container is not None and item.container != CONTAINER_NAME:
        words.append(f"container {item.container}, not put there by levo ecs add")
    mark = service.tag(TAG_VERSION)
    if item.container is None and mark not in (None, REMOVED):
        words.append(f"was marked with {mark}, gone since")
    return ", ".join(words)


def _table(found: Sequence[discover.Placement], *, everything: bool, regions: Sequence[str]) -> None:
    with_sensor = [item for item in found if item.container is not None]
    shown = found if everything else with_sensor
    if shown:
        rows = [("REGION", "CLUSTER", "SERVICE", "TASK DEFINITION", "SENSOR", "TASKS", "STATE")]
        rows += [
            (
                item.region,
                item.service.cluster,
                item.service.name,
                item.service.revision,
                item.version or "-",
                f"{item.service.running}/{item.service.desired}",
                _state(item),
            )
            for item in shown
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            click.echo(
                "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            )
    where = regions[0] if len(regions) == 1 else f"{len(regions)} regions"
    total = len(found)
    summary = f"{len(with_sensor)} of {total} service{'s' if total != 1 else ''} in {where} with the sensor"
    current = image_version(IMAGE)
    older = sum(1 for item in with_sensor if item.version != current)
    if older:
        summary += f"; {older} not at this release's {current}: levo ecs add updates them"
    click.echo(summary)
