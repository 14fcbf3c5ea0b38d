"""The Satellite's configuration: its table of options, and the frozen value that they become."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from levo.config import values
from levo.config.document import Document
from levo.config.merge import Flags, Loaded, merge, problems_of
from levo.config.options import SENSOR
from levo.config.table import Option, Origins, Remarks, Surroundings, Table
from levo.config.values import HostPort
from levo.errors import ConfigError, Problem

SATELLITE_PATH = "/etc/levo/satellite/config.yaml"
_LEAST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteSettings:
    """Fields are named like the options, with ``_`` for ``-``; times end in ``_ns``, sizes in ``_bytes``."""

    data_dir: Path
    listen: HostPort
    otlp_grpc: HostPort
    otlp_http: HostPort
    tls_certificate: Path | None
    tls_key: Path | None
    """With :attr:`tls_certificate` all three ports speak TLS."""
    tls_ca_certificate: Path | None
    ingest_tokens: Literal["auto", "required", "off"]
    trusted_proxies: tuple[str, ...]
    """Addresses and networks whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` count."""
    webhook_link_local: bool
    min_objects: int
    min_callers: int
    """A name is text once it was in so many different objects, in requests of so many callers."""
    max_request_bytes: int
    max_in_flight_bytes: int
    journal_max_bytes: int
    host_names: Literal["proven", "all"]
    max_hosts: int
    max_places: int
    learner_max_bytes: int
    endpoint_retention_ns: int
    refused_retention_ns: int
    minute_retention_ns: int
    hour_retention_ns: int
    day_retention_ns: int
    change_retention_ns: int
    sensor_retention_ns: int
    stopped_sensor_retention_ns: int
    alert_retention_ns: int
    archive_after_ns: int
    catalog_max_bytes: int
    """0: no limit."""
    drain_timeout_ns: int
    backup_folder: Path | None
    """Where backups are made by themselves; None: none is."""
    backup_interval_ns: int
    backup_keep: int
    dry_run: bool


def load_settings(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    path: str | None = None,
    default_path: str | None = SATELLITE_PATH,
    surroundings: Surroundings | None = None,
) -> Loaded[SatelliteSettings]:
    """The Satellite's settings out of flags, variables, the file and defaults.

    Raises:
        ConfigError: with everything that is wrong, not only the first.
    """
    return merge(SATELLITE, flags, environ, path=path, default_path=default_path, surroundings=surroundings)


def _size(value: str) -> int:
    return values.size_bytes(value, least=_LEAST_BYTES, most=1 << 50)


_number = partial(values.count, least=1, most=1_000_000)
_DAY_NS = 86_400 * 10**9
_HOUR_NS = 3600 * 10**9
_MOST_DAYS = 36_500


def _days(value: str) -> int:
    written = values.text(value).lower().removesuffix("d")
    if not (
        written.isascii() and written.isdigit() and len(written) <= 6 and 1 <= int(written) <= _MOST_DAYS
    ):
        raise values.BadValue(f"{values.shown(value)} is no number of days from 1d to {_MOST_DAYS}d")
    return int(written) * _DAY_NS


def _size_or_none(value: str) -> int:
    return 0 if values.text(value).lower() == "none" else _size(value)


def _show_size_or_none(octets: int) -> str:
    return values.show_size(octets) if octets else "none"


def _show_days(nanoseconds: int) -> str:
    return f"{nanoseconds // _DAY_NS}d"


def _file(value: str) -> Path:
    return Path(values.readable_file(value))


def _folder(value: str) -> Path:
    return Path(values.path(value))


def _proxies(value: str) -> tuple[str, ...]:
    if value.strip().lower() == "none":
        return ()
    found = []
    for each in value.split(","):
        try:
            network = ipaddress.ip_network(each.strip())
        except ValueError:
            raise values.BadValue(
                f"{values.shown(each.strip())} is not an IP address or network; none means no proxy"
            ) from None
        found.append(str(network if network.num_addresses > 1 else network.network_address))
    return tuple(found)


def _show_proxies(proxies: tuple[str, ...]) -> str:
    return ",".join(proxies) or "none"


def _data_dir(around: Surroundings) -> tuple[Path, str]:
    return Path(around.satellite_dir), around.satellite_dir_reason


def _contradictions(config: SatelliteSettings, origins: Origins) -> Remarks:
    found: Remarks = []
    for one, other in (("tls-certificate", "tls-key"), ("tls-key", "tls-certificate")):
        if origins[one].kind != "default" and origins[other].kind == "default":
            found.append((one, f"needs {other} beside it"))
    return found


_PREFIX = "LEVO_SATELLITE_"
_option = partial(Option, variable_prefix=_PREFIX)
SECTIONS: dict[str, str] = {
    "Data": "Where the Satellite keeps what it learned.",
    "Addresses": "Where it listens. A port of 0 lets the system choose.",
    "Protection": "Who may send and look.",
    "Limits": "How much it holds, and for how long.",
    "Backup": "Copies of the data that are made while it runs, verified, each in one file that is a secret.",
    "Self-description": "What it says of itself.",
}
OPTIONS: tuple[Option, ...] = (
    _option(
        "data-dir", "Data",
        "Folder of catalog, decisions and journal; made if absent, for its owner only.",
        _folder, Path("/var/lib/levo/satellite"), metavar="FOLDER",
        live_default=_data_dir, example="/var/lib/levo/satellite",
        default_text="/var/lib/levo/satellite for root, else $XDG_DATA_HOME/levo/satellite",
    ),
    _option(
        "listen", "Addresses",
        "host:port of web pages, REST and OTLP/HTTP.",
        values.listen_address, HostPort("127.0.0.1", 9999), metavar="HOST:PORT",
        note="Where other machines can reach it, the first page asks for the code that the Satellite prints, "
        "and makes the first account.",
    ),
    _option(
        "otlp-grpc", "Addresses",
        "host:port of OTLP/gRPC. Sensors on other machines need 0.0.0.0:4317.",
        values.listen_address, HostPort("127.0.0.1", 4317), metavar="HOST:PORT",
    ),
    _option(
        "otlp-http", "Addresses",
        "host:port of OTLP/HTTP.",
        values.listen_address, HostPort("127.0.0.1", 4318), metavar="HOST:PORT",
    ),
    _option(
        "tls-certificate", "Protection",
        "PEM file of the certificate chain; with tls-key all ports speak TLS, and nothing else.",
        _file, metavar="FILE", example="/etc/levo/satellite/tls.pem",
        reloadable=True,
    ),
    _option(
        "tls-key", "Protection",
        "PEM file of the private key of tls-certificate.",
        _file, metavar="FILE", example="/etc/levo/satellite/tls.key",
        reloadable=True,
    ),
    _option(
        "tls-ca-certificate", "Protection",
        "PEM file of the authority that signed tls-certificate, or the certificate of a proxy in front.",
        _file, metavar="FILE", default_text="what tls-certificate has of it",
        example="/etc/levo/satellite/ca.pem",
        reloadable=True,
        note="Shown to whoever connects a sensor.",
    ),
    _option(
        "ingest-tokens", "Protection",
        "Whether sensors must send a token: auto, required or off.",
        values.choice("auto", "required", "off"), "auto", metavar="WHEN",
        note="`auto`: on addresses that other machines reach, and everywhere once there is a token. Tokens "
        "are made under Settings; a sensor sends one with `--satellite-token` or `LEVO_SATELLITE_TOKEN`.",
    ),
    _option(
        "trusted-proxies", "Protection",
        "Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count, or none.",
        _proxies, ("127.0.0.1", "::1"), _show_proxies, metavar="LIST",
        note="Separated by commas. The client is the last address of X-Forwarded-For that is not listed; "
        "guesses of passwords are slowed down by it. Name no network from which clients come directly.",
    ),
    _option(
        "webhook-link-local", "Protection",
        "Let webhooks ask link-local addresses and the metadata services of clouds.",
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
        note="They answer with credentials of this machine. Without it, alerts are not sent there, whatever "
        "name or DNS answer leads there.",
    ),
    _option(
        "min-objects", "Protection",
        "Different messages or objects that must have a name before it is kept as text.",
        partial(values.count, least=1, most=16), 3, metavar="NUMBER",
        reloadable=True,
        note="Names of properties, parameters, header fields, cookies, parts, columns and operations are "
        "values until then, and only their keyed hashes are stored. With 1, and `min-callers` 1, every name "
        "is kept at once.",
    ),
    _option(
        "min-callers", "Protection",
        "Different client addresses that must have sent a name that no successful answer has.",
        partial(values.count, least=1, most=8), 2, metavar="NUMBER",
        reloadable=True,
        note="Where one client alone calls an application, a name that it has sent for 24 hours is kept and "
        "marked.",
    ),
    _option(
        "max-request-bytes", "Limits",
        "Most octets of one export request, after decompression.",
        _size, 64 << 20, values.show_size, metavar="SIZE",
    ),
    _option(
        "max-in-flight-bytes", "Limits",
        "Most octets of all export requests that are being received.",
        _size, 256 << 20, values.show_size, metavar="SIZE",
    ),
    _option(
        "journal-max-bytes", "Limits",
        "Most octets that wait on disk to be learned; past it senders are told to come back.",
        _size, 1 << 30, values.show_size, metavar="SIZE",
    ),
    _option(
        "host-names", "Limits",
        "Which hosts are shown by name: proven, or all at once.",
        values.choice("proven", "all"), "proven", metavar="WHICH",
        reloadable=True,
        note="Any client can send any Host. Until a host had three requests answered with success, from two "
        "callers or over a day, a hash stands for its name; addresses and localhost are shown at once.",
    ),
    _option(
        "max-hosts", "Limits",
        "Hosts of one application that are told apart.",
        _number, 500, metavar="NUMBER",
        reloadable=True,
        note="When there is no room, the host with the fewest successes and callers makes it, unless it had "
        "20 successes. What finds no room is learned at the host *.",
    ),
    _option(
        "max-places", "Limits",
        "Methods and paths of one application that are kept.",
        _number, 20_000, metavar="NUMBER",
        reloadable=True,
        note="When there is no room, those make it that were never answered with success, then those with "
        "fewest successes, unless they had 20.",
    ),
    _option(
        "learner-max-bytes", "Limits",
        "About how much memory the paths of hosts take while traffic is learned.",
        _size, 256 << 20, values.show_size, metavar="SIZE",
        reloadable=True,
        note="Hosts not used for longest are read from disk when they are needed again. The learner needs "
        "about 150MiB beside it.",
    ),
    _option(
        "endpoint-retention", "Limits",
        "How long an endpoint is kept that nobody uses.",
        _days, 400 * _DAY_NS, _show_days, metavar="DAYS", field_name="endpoint_retention_ns",
        reloadable=True,
        note="Counted back from the latest exchange of its application.",
    ),
    _option(
        "refused-retention", "Limits",
        "How long a path is kept that was only ever refused.",
        _days, 30 * _DAY_NS, _show_days, metavar="DAYS", field_name="refused_retention_ns",
        reloadable=True,
        note="Counted back from the latest exchange of its application.",
    ),
    _option(
        "minute-retention", "Limits",
        "How long traffic is kept by the minute.",
        values.duration_ns, 3 * _HOUR_NS, values.show_duration, metavar="TIME",
        field_name="minute_retention_ns",
        reloadable=True,
        note="An hour at least, and at least as many of the latest minutes with traffic. So it is with hours "
        "and days, and with endpoints, changes and sensors: days on which nothing was learned do not count, "
        "and a clock that is wrong for a while erases nothing.",
    ),
    _option(
        "hour-retention", "Limits",
        "How long traffic is kept by the hour.",
        _days, 8 * _DAY_NS, _show_days, metavar="DAYS", field_name="hour_retention_ns",
        reloadable=True,
    ),
    _option(
        "day-retention", "Limits",
        "How long traffic is kept by the day.",
        _days, 400 * _DAY_NS, _show_days, metavar="DAYS", field_name="day_retention_ns",
        reloadable=True,
    ),
    _option(
        "change-retention", "Limits",
        "How long changes of endpoints are kept.",
        _days, 400 * _DAY_NS, _show_days, metavar="DAYS", field_name="change_retention_ns",
        reloadable=True,
        note="At most 100,000 of them. When an endpoint was found is kept as long as the endpoint.",
    ),
    _option(
        "sensor-retention", "Limits",
        "How long a sensor is kept that fell silent.",
        _days, 30 * _DAY_NS, _show_days, metavar="DAYS", field_name="sensor_retention_ns",
        reloadable=True,
        note="At most 10,000 sensors: for a new one, those go first that stopped, then those that have been "
        "silent for longest; none that reports.",
    ),
    _option(
        "stopped-sensor-retention", "Limits",
        "How long a sensor is kept that said that it stops.",
        _days, _DAY_NS, _show_days, metavar="DAYS", field_name="stopped_sensor_retention_ns",
        reloadable=True,
    ),
    _option(
        "alert-retention", "Limits",
        "How long alerts are kept.",
        _days, 400 * _DAY_NS, _show_days, metavar="DAYS", field_name="alert_retention_ns",
        reloadable=True,
        note="Those that are not over stay.",
    ),
    _option(
        "archive-after", "Limits",
        "After how long an endpoint that nobody uses leaves the list of the catalog, with an alert.",
        _days, 90 * _DAY_NS, _show_days, metavar="DAYS", field_name="archive_after_ns",
        note="Counted back from the latest exchange. It is shown by the filter Archived, and comes back with "
        "its next exchange.",
    ),
    _option(
        "catalog-max-bytes", "Limits",
        "Most octets of the catalog, or none.",
        _size_or_none, 0, _show_size_or_none, metavar="SIZE",
        reloadable=True,
        note="Looked at every ten minutes. What is too much is given up in this order: traffic by the "
        "minute but the last hour, paths that were only refused, traffic by the hour but the last two days, "
        "changes, traffic by the day but the last month, endpoints that were not seen for longest.",
    ),
    _option(
        "drain-timeout", "Limits",
        "How long SIGTERM waits until what was received is learned.",
        values.duration_ns, 15_000_000_000, values.show_duration, metavar="TIME",
        field_name="drain_timeout_ns",
        note="What is not learned by then waits in the journal for the next start.",
    ),
    _option(
        "backup-folder", "Backup",
        "Folder into which backups are made by themselves; made if absent, for its owner only.",
        _folder, metavar="FOLDER", example="/var/backups/levo-satellite",
        reloadable=True,
        note="One folder for each Satellite, best on another disk. Nothing else in it is touched.",
    ),
    _option(
        "backup-interval", "Backup",
        "Time from one backup to the next.",
        values.duration_ns, _DAY_NS, values.show_duration, metavar="TIME",
        field_name="backup_interval_ns",
        reloadable=True,
        note="After a restart it counts from the last backup in the folder. One that fails is tried again "
        "after ten minutes.",
    ),
    _option(
        "backup-keep", "Backup",
        "Backups that are kept; the oldest is deleted once a new one is verified.",
        partial(values.count, least=1, most=10_000), 7, metavar="NUMBER",
        reloadable=True,
    ),
    _option(
        "dry-run", "Self-description",
        "Print the merged settings and where each comes from, then exit.",
        values.flag, False, values.show_flag, metavar="BOOL", switch=True,
    ),
)  # fmt: skip
SATELLITE = Table(
    "Satellite",
    SatelliteSettings,
    OPTIONS,
    SECTIONS,
    "levo satellite config reference",
    SATELLITE_PATH,
    f"{_PREFIX}CONFIG",
    _contradictions,
)


def check_satellite_file(path: str) -> list[Problem]:
    """Everything that is wrong with one file, in the order of its lines; flags and variables play no part."""
    return problems_of(lambda: load_settings({}, {}, path=path, surroundings=Surroundings()))


def is_satellite_file(path: str) -> bool:
    """Whether the keys of the file at *path* are those of the Satellite rather than of the sensor.

    Where they do not tell (no keys, or only such as both have), the usual place does.
    """
    if not Path(path).is_file():
        return path == SATELLITE_PATH
    try:
        keys = {entry.key for entry in Document(path).read_file(Path(path), path)}
    except ConfigError:
        return path == SATELLITE_PATH
    ours, sensors = len(keys & SATELLITE.by_key.keys()), len(keys & SENSOR.by_key.keys())
    return path == SATELLITE_PATH if ours == sensors else ours > sensors
