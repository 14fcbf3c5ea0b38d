"""The sensor's container definition: one typed model that every format and the installer are made from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from levo.config import BY_NAME, OPTIONS, BadValue
from levo.errors import LevoError

Json = Mapping[str, Any]
"""One JSON object of the ECS API: keys as in the API, lists and maps as Python has them."""

CONTAINER_NAME = "levo-pcap-sensor"
IMAGE = "levoai/pcap-sensor:0.1.1"
IMAGE_NOTE = (
    f"the image is {IMAGE}, which levoai publishes on Docker Hub: it is not built from this source; --image "
    "names one that you built (make image)"
)
"""Said wherever the documented image is used: nobody else's code is deployed without a word."""
CPU_UNITS = 512
MEMORY_MIB = 512
LOW_RESOURCE_CPU_UNITS = 256
LOW_RESOURCE_MEMORY_MIB = 200
LOW_RESOURCE_FLAGS = {
    "rate-limit": "100",
    "trace-export-interval": "2s",
    "stream-timeout-seconds": "1",
    "max-http-length": "1000000",
}
"""The low-resource preset: what is not given by the user."""
LEAST_MEMORY_MIB = 128
"""Below this the sensor's buffers (half of it) hold too little to rebuild exchanges from."""
STREAM_PREFIX = "ecs-pcap"
REGION_VARIABLE = "LEVO_AWS_REGION"
TOKEN_VARIABLE = "LEVO_SATELLITE_TOKEN"
COMMAND = ("./bin/init", "apidump")

SATELLITE_PLACEHOLDER = "< INSERT SATELLITE URL (http(s)://hostname|IP:port) >"
ENV_PLACEHOLDER = "<INSERT APPLICATION ENVIRONMENT (staging, production etc.)>"
ORG_PLACEHOLDER = "< INSERT LEVO ORG ID >"
RATE_PLACEHOLDER = "<INSERT NUMBER OF TRACES PER MINUTE>"
REGION_PLACEHOLDER = "< INSERT AWS REGION (us-west-2) >"
LOG_GROUP_PLACEHOLDER = "< INSERT LOGS IDENTIFIER (/ecs/your-application-pcap) >"

LEADING_FLAGS = ("satellite-url", "levo-env", "levoai-org-id", "rate-limit")
"""Always in the entry point, in this order."""
PLACEHOLDERS = dict(
    zip(
        LEADING_FLAGS,
        (SATELLITE_PLACEHOLDER, ENV_PLACEHOLDER, ORG_PLACEHOLDER, RATE_PLACEHOLDER),
        strict=True,
    )
)
NOT_IN_A_SIDECAR = frozenset({"read", "dry-run", "satellite-token"})
"""Flags that make the sensor end at once, and one that everybody who may see the definition could read."""
SIDECAR_FLAGS = tuple(
    option.name for option in OPTIONS if option.on_command_line and option.name not in NOT_IN_A_SIDECAR
)


class EcsError(LevoError):
    """The installer cannot go on. One line that names the fix."""


class EcsInputError(EcsError):
    """What the user asked for cannot be: bad input, before anything was changed."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of the sensor's entry point. A switch has no value; a repeatable flag is several of these."""

    name: str
    """Without its dashes; always one of :data:`SIDECAR_FLAGS` unless read from an existing container."""
    value: str | None

    def words(self) -> list[str]:
        return [f"--{self.name}"] if self.value is None else [f"--{self.name}", self.value]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The container definition of the sensor (the fields of the API's ContainerDefinition that it sets)."""

    flags: tuple[Flag, ...] = ()
    """In the order of the entry point; see :func:`flags_from`."""
    image: str = IMAGE
    cpu: int = CPU_UNITS
    """CPU units, 1024 to a vCPU."""
    memory: int = MEMORY_MIB
    """Hard limit, MiB."""
    region: str | None = None
    """None leaves the placeholder of the documentation, as for every value that is not known."""
    log_group: str | None = None
    logs: bool = True
    """False leaves the log configuration out: nothing the sensor says is kept."""
    token_secret: str | None = None
    """ARN of the Secrets Manager secret or SSM parameter that holds the Satellite's bearer token."""
    template: bool = True
    """Show the documentation's placeholder where a leading flag is not given; else leave the flag out."""

    @property
    def version(self) -> str:
        return image_version(self.image)

    def value(self, name: str) -> str | None:
        """The value of the first flag of that name."""
        return next((flag.value for flag in self.flags if flag.name == name), None)

    def container(self) -> dict[str, Any]:
        """The definition as the ECS API takes it: the documented fields in the documented order."""
        region = self.region or REGION_PLACEHOLDER
        definition: dict[str, Any] = {
            "name": CONTAINER_NAME,
            "image": self.image,
            "cpu": self.cpu,
            "memory": self.memory,
            "portMappings": [],
            "essential": False,
            "entryPoint": [*COMMAND, *(word for flag in self._entry_flags() for word in flag.words())],
            "environment": [{"name": REGION_VARIABLE, "value": region}],
            "mountPoints": [],
            "volumesFrom": [],
        }
        if self.token_secret is not None:
            definition["secrets"] = [{"name": TOKEN_VARIABLE, "valueFrom": self.token_secret}]
        if self.logs:
            definition["logConfiguration"] = {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": self.log_group or LOG_GROUP_PLACEHOLDER,
                    "awslogs-create-group": "true",
                    "awslogs-region": region,
                    "awslogs-stream-prefix": STREAM_PREFIX,
                },
            }
        return definition

    def placeholders(self) -> list[str]:
        """What is still to be filled in, as flags of ``levo ecs``."""
        missing = [f"--{name}" for name in LEADING_FLAGS if self.value(name) in (None, PLACEHOLDERS[name])]
        if not self.region:
            missing.append("--region")
        if self.logs and not self.log_group:
            missing.append("--log-group")
        return missing

    def _entry_flags(self) -> Iterable[Flag]:
        for name in LEADING_FLAGS:
            given = [flag for flag in self.flags if flag.name == name]
            if given or self.template:
                yield from given or [Flag(name, PLACEHOLDERS[name])]
        yield from (flag for flag in self.flags if flag.name not in LEADING_FLAGS)


def image_version(image: str) -> str:
    """The tag, else the start of the digest, else ``latest``."""
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return digest[:19] if digest else "latest"


def flags_from(given: Mapping[str, str | Sequence[str] | bool | None]) -> tuple[Flag, ...]:
    """Flags of the entry point out of what the user wrote, checked as the sensor itself will check them.

    Keys are flag names. None, False and an empty sequence mean "not given".

    Raises:
        EcsInputError: a value the sensor would refuse, or a flag that makes no sense in a sidecar.
    """
    flags: list[Flag] = []
    for name in (*LEADING_FLAGS, *(name for name in SIDECAR_FLAGS if name not in LEADING_FLAGS)):
        value = given.get(name)
        if value is None or value is False or value == ():
            continue
        if value is True:
            flags.append(Flag(name, None))
            continue
        texts = [value] if isinstance(value, str) else list(value)
        for text in texts:
            try:
                BY_NAME[name].parse(text)
            except BadValue as error:
                raise EcsInputError(f"--{name}: {error}") from None
            flags.append(Flag(name, text))
    for name, value in given.items():
        if name not in SIDECAR_FLAGS and value not in (None, False, ()):
            raise EcsInputError(f"--{name} makes no sense in a sidecar; leave it out")
    return tuple(flags)


_SECRET = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[^:]*:\d*:secret:.+|ssm:[^:]*:\d*:parameter/.+)")


def check_token_secret(text: str) -> str:
    """*text*, if it names a secret.

    Raises:
        EcsInputError: it does not. It is not repeated: it may be the token itself.
    """
    if _SECRET.fullmatch(text) is None:
        raise EcsInputError(
            "--token-secret is no ARN of a Secrets Manager secret or an SSM parameter; put the token there, "
            "never into the task definition: arn:aws:ssm:REGION:ACCOUNT:parameter/NAME"
        )
    return text


def is_sensor(container: Json) -> bool:
    """Whether this container is the sensor, whatever its name: it runs ``apidump`` or has its image."""
    words = [*(container.get("entryPoint") or ()), *(container.get("command") or ())]
    repository = str(container.get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[0]
    return "apidump" in words or repository == "pcap-sensor"


def read_container(container: Json) -> Sidecar:
    """The model of an existing sensor container, so that an upgrade keeps its settings.

    Unknown flags are kept as they are; words that are no flag are dropped.
    """
    words = [*(container.get("entryPoint") or ()), *(container.get("command") or ())]
    if "apidump" in words:
        words = words[words.index("apidump") + 1 :]
    flags: list[Flag] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if not word.startswith("--"):
            continue
        name, equals, value = word[2:].partition("=")
        if equals:
            flags.append(Flag(name, value))
        elif at < len(words) and not _is_switch(name) and (name in BY_NAME or not words[at].startswith("--")):
            flags.append(Flag(name, words[at]))
            at += 1
        else:
            flags.append(Flag(name, None))
    flags = [flag for flag in flags if flag.value != PLACEHOLDERS.get(flag.name, "")]
    environment = {item["name"]: item.get("value", "") for item in container.get("environment") or ()}
    log = container.get("logConfiguration") or {}
    options = log.get("options") or {}
    secrets = {item["name"]: item["valueFrom"] for item in container.get("secrets") or ()}
    return Sidecar(
        flags=_ordered(flags),
        image=str(container.get("image", IMAGE)),
        cpu=int(container.get("cpu") or CPU_UNITS),
        memory=int(container.get("memory") or MEMORY_MIB),
        region=environment.get(REGION_VARIABLE) or options.get("awslogs-region"),
        log_group=options.get("awslogs-group"),
        logs=bool(log),
        token_secret=secrets.get(TOKEN_VARIABLE),
    )


def with_flags(sidecar: Sidecar, newer: Sequence[Flag]) -> Sidecar:
    """*sidecar* with the flags named in *newer* replaced by these."""
    named = {flag.name for flag in newer}
    kept = [flag for flag in sidecar.flags if flag.name not in named]
    return replace(sidecar, flags=_ordered([*kept, *newer]))


def _is_switch(name: str) -> bool:
    return name in BY_NAME and BY_NAME[name].switch


def _ordered(flags: Sequence[Flag]) -> tuple[Flag, ...]:
    order = {name: place for place, name in enumerate((*LEADING_FLAGS, *SIDECAR_FLAGS))}
    order |= {name: place for place, name in enumerate(LEADING_FLAGS)}
    return tuple(sorted(flags, key=lambda flag: order.get(flag.name, len(order) + len(LEADING_FLAGS))))
