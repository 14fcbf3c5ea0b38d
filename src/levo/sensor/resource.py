"""Who this sensor is and where it runs: the OTLP resource attributes, host and ECS task included.

Task metadata (version 4 of the endpoint) is read leniently: fields may be missing, of another type, or new.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from levo import __version__
from levo.config import SensorConfig
from levo.sensor.identity import Run

METADATA_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
_MOST_BYTES = 1 << 20
_ARN = re.compile(r"arn:[^:]*:[^:]*:(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)")
_AWS_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class TaskMetadata:
    """What the ECS task metadata endpoint said; None where it did not."""

    cluster: str | None = None
    """ARN."""
    task_arn: str | None = None
    family: str | None = None
    revision: str | None = None
    service: str | None = None
    launch_type: str | None = None
    """Lower case: ``fargate``, ``ec2``."""
    availability_zone: str | None = None
    region: str | None = None
    account: str | None = None
    container_arn: str | None = None
    container_id: str | None = None
    container_name: str | None = None
    image: str | None = None

    @classmethod
    def parse(cls, task: bytes, container: bytes = b"") -> TaskMetadata:
        """Read the answers of ``…/task`` and of the container's own path. Never raises."""
        document, own = _object(task), _object(container)
        labels = own.get("Labels")
        labels = labels if isinstance(labels, dict) else {}
        arn = _text(document, "TaskARN") or _text(labels, "com.amazonaws.ecs.task-arn")
        parts = _ARN.fullmatch(arn or "")
        cluster = _text(document, "Cluster") or _text(labels, "com.amazonaws.ecs.cluster")
        if cluster and not cluster.startswith("arn:") and parts and arn:
            cluster = f"{arn[: parts.start('resource')]}cluster/{cluster}"
        launch = _text(document, "LaunchType")
        revision = _text(document, "Revision") or _text(labels, "com.amazonaws.ecs.task-definition-version")
        return cls(
            cluster=cluster,
            task_arn=arn,
            family=_text(document, "Family") or _text(labels, "com.amazonaws.ecs.task-definition-family"),
            revision=revision,
            service=_text(document, "ServiceName"),
            launch_type=launch.lower() if launch else None,
            availability_zone=_text(document, "AvailabilityZone"),
            region=parts["region"] or None if parts else None,
            account=parts["account"] or None if parts else None,
            container_arn=_text(own, "ContainerARN"),
            container_id=_text(own, "DockerId"),
            container_name=_text(own, "Name"),
            image=_text(own, "Image"),
        )

    @property
    def application(self) -> str | None:
        """The name that the task gives its application: the service, else the family."""
        return self.service or self.family

    def attributes(self) -> dict[str, str]:
        """Resource attributes (OTel semantic conventions: cloud, aws.ecs, container), present ones."""
        found = {
            "cloud.provider": "aws",
            "cloud.platform": "aws_ecs",
            "cloud.region": self.region,
            "cloud.account.id": self.account,
            "cloud.availability_zone": self.availability_zone,
            "aws.ecs.cluster.arn": self.cluster,
            "aws.ecs.task.arn": self.task_arn,
            "aws.ecs.task.id": self.task_arn.rpartition("/")[2] if self.task_arn else None,
            "aws.ecs.task.family": self.family,
            "aws.ecs.task.revision": self.revision,
            "aws.ecs.launchtype": self.launch_type,
            "aws.ecs.container.arn": self.container_arn,
            "container.id": self.container_id,
            "container.name": self.container_name,
            "container.image.name": self.image,
        }
        return {name: value for name, value in found.items() if value}


def read_task_metadata(
    environ: Mapping[str, str], fetch: Fetch | None = None
) -> tuple[TaskMetadata | None, str | None]:
    """Ask the endpoint that the environment names; (metadata or None outside ECS, a warning or None).

    Without an answer the sensor runs on: names are then less precise.
    """
    base = environ.get(METADATA_VARIABLE, "").rstrip("/")
    if not base:
        return None, None
    fetch = fetch or _fetch
    try:
        task = fetch(f"{base}/task")
    except (OSError, ValueError) as error:
        return (
            TaskMetadata(),
            f"ECS task metadata cannot be read ({error}); traces go without task attributes",
        )
    try:
        own = fetch(base)
    except (OSError, ValueError):
        own = b""
    return TaskMetadata.parse(task, own), None


def resource_attributes(
    config: SensorConfig,
    environ: Mapping[str, str],
    task: TaskMetadata | None,
    *,
    run: Run,
    host_name: str | None = None,
) -> dict[str, str]:
    """All attributes of the resource, ``service.name`` first; *run* says which sensor this is."""
    host = host_name or socket.gethostname()
    found = {
        "service.name": application_name(config, task),
        "service.instance.id": run.instance,
        "deployment.environment.name": config.levo_env,
        "levo.organization.id": config.levoai_org_id,
        "levo.sensor.id": run.sensor,
        "levo.sensor.version": __version__,
        "process.creation.time": _rfc3339(run.started_ns),
        "host.name": host,
    }
    if task is not None:
        found |= task.attributes()
    region = config.aws_region or found.get("cloud.region")
    if region is None and task is not None:
        region = next((environ[name] for name in _AWS_REGION_VARIABLES if environ.get(name)), None)
    if region:
        found["cloud.region"] = region
    return {name: value for name, value in found.items() if value}


def application_name(config: SensorConfig, task: TaskMetadata | None) -> str:
    """The catalog's name of the observed application: as set, else the task's, else the default."""
    return config.service_name or (task.application if task else None) or config.default_service_name


def deployment_key(
    config: SensorConfig,
    task: TaskMetadata | None,
    *,
    host_name: str | None = None,
    root: Path = Path("/"),
) -> str:
    """What sensors with the same settings in the same place have in common (see ``sensor.identity``).

    Where: the container or task in ECS, else machine id and host name. Settings: those that tell sensors of
    one host apart and hold until a restart; what a reload changes must not make another sensor of this one.
    Neither is the capture file's name among them: one file read after the other is one sensor. 16 hex digits.
    """
    if task is not None and (task.container_arn or task.task_arn):
        place = task.container_arn or task.task_arn or ""
    else:
        try:
            machine = (root / "etc/machine-id").read_text().strip()
        except (OSError, ValueError):
            machine = ""
        place = f"{machine}/{host_name or socket.gethostname()}"
    settings = (
        config.levoai_org_id or "",
        config.levo_env,
        application_name(config, task),
        "file" if config.read is not None else ",".join(sorted(config.interfaces)),
        config.filter or "",
        str(config.satellite) if any(spec.kind == "otlp" for spec in config.output) else "",
    )
    seed = json.dumps([place, *settings])
    return hashlib.sha256(f"levo-sensor/{seed}".encode()).hexdigest()[:16]


def _rfc3339(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z"


def metadata_host(environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Host and port of the metadata endpoint, which the capture leaves out; None outside ECS."""
    try:
        parts = urlsplit(environ.get(METADATA_VARIABLE, ""))
        return (parts.hostname, parts.port or 80) if parts.hostname else None
    except ValueError:
        return None


def _fetch(url: str) -> bytes:
    import urllib3

    with urllib3.PoolManager(retries=urllib3.Retry(2, backoff_factor=0.2, redirect=False)) as pool:
        try:
            answer = pool.request("GET", url, timeout=1.0, preload_content=False)
            body: bytes = answer.read(_MOST_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise OSError(type(error).__name__) from None
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return body


def _object(octets: bytes) -> dict[str, object]:
    try:
        found = json.loads(octets)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(document: Mapping[str, object], name: str) -> str | None:
    """The member as text; None when it is absent, empty, or neither text nor a number."""
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None
