"""The Satellite's configuration: one frozen object from flags, environment, file and defaults."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from levo.errors import ConfigError, Problem

INGEST_TOKENS = ("auto", "required", "off")
ENVIRONMENT_PREFIX = "LEVO_SATELLITE_"
_UNITS = {"": 1, "kb": 1 << 10, "kib": 1 << 10, "mb": 1 << 20, "mib": 1 << 20, "gb": 1 << 30, "gib": 1 << 30}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SatelliteSettings:
    """Everything that can be set. In files and flags, names are in kebab case."""

    data_dir: Path
    """Catalog, journal and journal key; made if absent, for its owner only."""
    listen: Address = Address("127.0.0.1", 9999)
    """Web pages, REST and OTLP/HTTP."""
    otlp_grpc: Address = Address("127.0.0.1", 4317)
    otlp_http: Address = Address("127.0.0.1", 4318)
    max_request_bytes: int = 64 << 20
    """One export request, after decompression."""
    max_in_flight_bytes: int = 256 << 20
    """All export requests being received."""
    journal_max_bytes: int = 1 << 30
    """What may wait on disk to be learned."""
    tls_certificate: Path | None = None
    """Certificate chain (PEM); with ``tls_key`` all three ports speak TLS."""
    tls_key: Path | None = None
    """Private key (PEM)."""
    tls_ca_certificate: Path | None = None
    """Who signed the certificate (PEM), ours or that of a proxy in front of us: shown to whoever connects a
    sensor. Without it, what ``tls_certificate`` has of that."""
    ingest_tokens: str = "auto"
    """``auto``: sensors must send a token on addresses that other machines reach, and everywhere once there
    is a token; ``required``: always; ``off``: never."""


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Return ``/var/lib/levo/satellite`` for root, else ``$XDG_DATA_HOME/levo/satellite``."""
    if os.geteuid() == 0:
        return Path("/var/lib/levo/satellite")
    data_home = environment.get("XDG_DATA_HOME", "")
    return (Path(data_home) if data_home.startswith("/") else Path.home() / ".local/share") / "levo/satellite"


def load_settings(
    flags: Mapping[str, str | None], config_path: Path | None, environment: Mapping[str, str]
) -> SatelliteSettings:
    """Merge: a flag wins over the environment, that over the file, that over the default.

    Args:
        flags: by kebab-case name; None means not given.

    Raises:
        ConfigError: naming every value that cannot be used, and where it stands.
    """
    problems: list[Problem] = []
    names = [field.name for field in dataclasses.fields(SatelliteSettings)]
    found: dict[str, tuple[Problem, str]] = {}
    if config_path is not None:
        found.update(_read_file(config_path, names, problems))
    for name in names:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment.get(variable):
            found[name] = Problem(variable, ""), environment[variable]
        flag = flags.get(name.replace("_", "-"))
        if flag is not None:
            found[name] = Problem("--" + name.replace("_", "-"), ""), flag
    values: dict[str, Address | Path | int | str] = {"data_dir": default_data_dir(environment)}
    for name, (place, text) in found.items():
        try:
            values[name] = _parse(name, text)
        except ValueError as error:
            problems.append(dataclasses.replace(place, text=str(error)))
    if ("tls_certificate" in values) != ("tls_key" in values):
        problems.append(Problem("tls-certificate", "needs tls-key beside it, and the other way round"))
    if problems:
        raise ConfigError(*problems)
    return SatelliteSettings(**values)  # type: ignore[arg-type]


def parse_address(text: str) -> Address:
    """Read ``host:port``, ``[v6]:port`` or ``:port`` (all addresses).

    Raises:
        ValueError: it is none of these.
    """
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, as in [::1]:9999")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port, as in 127.0.0.1:9999")
    return Address(host or "0.0.0.0", int(port))


def parse_size(text: str) -> int:
    """Read a number of octets, with an optional unit (``64MiB``).

    Raises:
        ValueError: it is none, or less than 64 KiB.
    """
    lowered = text.strip().lower().replace(" ", "")
    digits = lowered.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = _UNITS.get(lowered[len(digits) :])
    if unit is None or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        raise ValueError(f"{text!r} is no size, as in 64MiB")
    size = int(digits) * unit
    if size < 64 << 10:
        raise ValueError(f"{text!r} is too small; at least 64KiB")
    return size


def _parse(name: str, text: str) -> Address | Path | int | str:
    if name == "ingest_tokens":
        if text not in INGEST_TOKENS:
            raise ValueError(f"{text!r}: must be one of {', '.join(INGEST_TOKENS)}")
        return text
    if name in ("tls_certificate", "tls_key", "tls_ca_certificate"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise ValueError(f"{text!r}: no such file")
        return path
    if name == "data_dir":
        if not text.strip():
            raise ValueError("names no directory")
        return Path(text).expanduser()
    return parse_size(text) if name.endswith("_bytes") else parse_address(text)


def _read_file(path: Path, names: list[str], problems: list[Problem]) -> dict[str, tuple[Problem, str]]:
    """Return place and text by field name; what is wrong with the file goes to *problems*."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(
            Problem(
                "--config", f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", str(path)
            )
        )
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        text = getattr(error, "problem", None) or "it cannot be parsed"
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problems.append(Problem("not YAML", text, str(path), line, column))
        return {}
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        problems.append(Problem("the file", "must hold keys with values", str(path), 1, 1))
        return {}
    found: dict[str, tuple[Problem, str]] = {}
    known = {name.replace("_", "-"): name for name in names}
    for key, value in node.value:
        mark = key.start_mark
        place = Problem(str(key.value), "", str(path), mark.line + 1, mark.column + 1)
        if key.value not in known:
            problems.append(dataclasses.replace(place, text=f"no such key; there are {', '.join(known)}"))
        elif not isinstance(value, yaml.ScalarNode):
            problems.append(dataclasses.replace(place, text="must have a single value"))
        else:
            found[known[key.value]] = place, value.value
    return found
