"""The Satellite's table: every setting from each place, bad values with their place, files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from levo.config import SENSOR, HostPort, Surroundings
from levo.config.merge import Loaded
from levo.config.satellite_settings import (
    SATELLITE,
    SatelliteSettings,
    check_satellite_file,
    is_satellite_file,
    load_settings,
)
from levo.errors import ConfigError

HERE = str(Path(__file__))
DAY_NS = 86_400 * 10**9
BESIDE = {
    "tls-certificate": {"LEVO_SATELLITE_TLS_KEY": HERE},
    "tls-key": {"LEVO_SATELLITE_TLS_CERTIFICATE": HERE},
}

# name: (default, [(text, value), ...], [(bad text, what the line must say)])
CASES: dict[str, tuple[Any, list[tuple[str, Any]], list[tuple[str, str]]]] = {
    "data-dir": (
        Path("/var/lib/levo/satellite"),
        [("/a", Path("/a")), ("~/b", Path.home() / "b"), ("c d", Path("c d"))],
        [("< INSERT >", "placeholder")],
    ),
    "listen": (
        HostPort("127.0.0.1", 9999),
        [
            ("0.0.0.0:0", HostPort("0.0.0.0", 0)),
            (":80", HostPort("0.0.0.0", 80)),
            ("[::]:1", HostPort("::", 1)),
        ],
        [
            ("nowhere", "has no port"),
            ("::1:80", "in brackets"),
            ("host:65536", "1 to 65535"),
            ("h:-1", "port"),
        ],
    ),
    "otlp-grpc": (
        HostPort("127.0.0.1", 4317),
        [("h:1", HostPort("h", 1)), ("h:2", HostPort("h", 2)), ("[::1]:0", HostPort("::1", 0))],
        [("host:", "port")],
    ),
    "otlp-http": (
        HostPort("127.0.0.1", 4318),
        [("h:1", HostPort("h", 1)), ("h:2", HostPort("h", 2)), ("h:3", HostPort("h", 3))],
        [("host:x", "port")],
    ),
    "tls-certificate": (None, [(HERE, Path(HERE))], [("/nonexistent", "is not a file")]),
    "tls-key": (None, [(HERE, Path(HERE))], [("/", "is not a file")]),
    "tls-ca-certificate": (None, [(HERE, Path(HERE))], [("/", "is not a file")]),
    "ingest-tokens": (
        "auto",
        [("required", "required"), ("off", "off"), ("auto", "auto")],
        [("maybe", "auto, required or off")],
    ),
    "trusted-proxies": (
        ("127.0.0.1", "::1"),
        [
            ("none", ()),
            ("10.0.0.1, 192.0.2.0/24", ("10.0.0.1", "192.0.2.0/24")),
            ("2001:db8::/64", ("2001:db8::/64",)),
        ],
        [("proxy.example", "is not an IP address or network"), ("*", "is not an IP address")],
    ),
    "webhook-link-local": (False, [("true", True)], [("maybe", "neither true nor false")]),
    "min-objects": (3, [("1", 1), (" 16 ", 16)], [("0", "from 1 to 16"), ("17", "from 1 to 16"), ("x", "x")]),
    "min-callers": (2, [("1", 1), ("8", 8)], [("9", "from 1 to 8"), ("-1", "from 1 to 8"), ("2.5", "2.5")]),
    "max-request-bytes": (
        64 << 20,
        [("65536", 65536), ("1.5MiB", 3 << 19), ("64MB", 64_000_000)],
        [("1", "at least 64KiB"), ("much", "is not a size"), ("64M", "64MiB or 64MB")],
    ),
    "max-in-flight-bytes": (
        256 << 20,
        [("1GiB", 1 << 30), ("2GB", 2 * 10**9), ("64 KiB", 65536)],
        [("-1", "is not a size")],
    ),
    "journal-max-bytes": (
        1 << 30,
        [("1TiB", 1 << 40), ("10TiB", 10 << 40), ("100MiB", 100 << 20)],
        [("x", "is not a size")],
    ),
    "host-names": ("proven", [("all", "all"), (" proven ", "proven")], [("none", "proven or all")]),
    "max-hosts": (500, [("1", 1), ("1000000", 1_000_000)], [("0", "from 1 to 1000000"), ("many", "many")]),
    "max-places": (
        20_000,
        [("1", 1), ("1000000", 1_000_000)],
        [("0", "from 1"), ("-1", "from 1 to 1000000")],
    ),
    "learner-max-bytes": (256 << 20, [("64MiB", 64 << 20), ("1GB", 10**9)], [("x", "is not a size")]),
    "endpoint-retention": (
        400 * DAY_NS,
        [("1d", DAY_NS), ("30", 30 * DAY_NS), ("36500d", 36_500 * DAY_NS)],
        [("0", "from 1d to 36500d"), ("36501", "no number of days"), ("1h", "no number of days")],
    ),
    "refused-retention": (30 * DAY_NS, [("1d", DAY_NS), ("7", 7 * DAY_NS)], [("-1", "no number of days")]),
    "minute-retention": (
        3 * 3600 * 10**9,
        [("1h", 3600 * 10**9), ("2d", 2 * DAY_NS)],
        [("0", "above zero"), ("soon", "is not a time")],
    ),
    "hour-retention": (8 * DAY_NS, [("1d", DAY_NS)], [("0", "no number of days")]),
    "day-retention": (400 * DAY_NS, [("800d", 800 * DAY_NS)], [("x", "no number of days")]),
    "change-retention": (400 * DAY_NS, [("1d", DAY_NS)], [("-1", "no number of days")]),
    "sensor-retention": (30 * DAY_NS, [("7d", 7 * DAY_NS)], [("0d", "no number of days")]),
    "stopped-sensor-retention": (DAY_NS, [("2", 2 * DAY_NS)], [("1h", "no number of days")]),
    "alert-retention": (400 * DAY_NS, [("30d", 30 * DAY_NS)], [("x", "no number of days")]),
    "archive-after": (90 * DAY_NS, [("30d", 30 * DAY_NS)], [("x", "no number of days")]),
    "catalog-max-bytes": (0, [("none", 0), ("2GiB", 2 << 30)], [("0", "is"), ("x", "is not a size")]),
    "drain-timeout": (
        15_000_000_000,
        [("1m30s", 90_000_000_000), ("1d", 86_400_000_000_000), ("500ms", 500_000_000)],
        [("0", "above zero"), ("soon", "is not a time")],
    ),
    "backup-folder": (None, [("/srv/backups", Path("/srv/backups"))], [("< INSERT >", "placeholder")]),
    "backup-interval": (
        DAY_NS,
        [("6h", DAY_NS // 4), ("1d", DAY_NS)],
        [("0", "above zero"), ("daily", "is not a time")],
    ),
    "backup-keep": (7, [("1", 1), ("30", 30)], [("0", "not a whole number"), ("all", "not a whole number")]),
    "dry-run": (False, [("true", True)], [("maybe", "neither true nor false")]),
}


def settings(
    flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None, path: str | None = None
) -> Loaded[SatelliteSettings]:
    return load_settings(
        flags or {}, environ or {}, path=path, default_path=None, surroundings=Surroundings()
    )


def test_the_table_has_every_option_and_every_field() -> None:
    assert list(CASES) == [option.name for option in SATELLITE.options]
    assert {o.field for o in SATELLITE.options} == {f.name for f in dataclasses.fields(SatelliteSettings)}


def test_every_setting_is_a_flag_a_variable_and_a_key() -> None:
    for option in SATELLITE.options:
        assert option.on_command_line and option.in_file
        assert option.variable == "LEVO_SATELLITE_" + option.name.upper().replace("-", "_")
    assert not set(SATELLITE.by_variable) & set(SENSOR.by_variable)


@pytest.mark.parametrize("name", CASES)
def test_default(name: str) -> None:
    loaded = settings()

    assert getattr(loaded.config, SATELLITE.by_name[name].field) == CASES[name][0]
    assert loaded.origins[name].kind == "default"


@pytest.mark.parametrize(
    ("name", "text", "wanted"), [(name, *good) for name, case in CASES.items() for good in case[1]]
)
def test_a_value_from_each_place(name: str, text: str, wanted: Any, tmp_path: Path) -> None:
    option = SATELLITE.by_name[name]
    path = tmp_path / "config.yaml"
    path.write_text(f"{name}: '{text}'\n")
    beside = BESIDE.get(name, {})

    from_file = settings({}, beside, str(path))
    from_variable = settings({}, {option.variable: text, **beside})
    from_flag = settings({name: True if option.switch else text}, beside)

    for loaded, origin in (
        (from_file, f"{path}:1"),
        (from_variable, option.variable),
        (from_flag, f"--{name}"),
    ):
        assert getattr(loaded.config, option.field) == wanted
        assert str(loaded.origins[name]) == origin


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if len(case[1]) == 3])
def test_a_flag_beats_a_variable_beats_the_file(name: str, tmp_path: Path) -> None:
    option = SATELLITE.by_name[name]
    (low, _), (middle, wanted_middle), (high, wanted_high) = CASES[name][1]
    path = tmp_path / "config.yaml"
    path.write_text(f"{name}: '{low}'\n")
    environ = {option.variable: middle}

    assert getattr(settings({}, environ, str(path)).config, option.field) == wanted_middle
    assert getattr(settings({name: high}, environ, str(path)).config, option.field) == wanted_high


@pytest.mark.parametrize(
    ("name", "text", "says"), [(name, *bad) for name, case in CASES.items() for bad in case[2]]
)
def test_a_bad_value_is_named_with_its_place_and_the_fix(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    option = SATELLITE.by_name[name]
    path = tmp_path / "config.yaml"
    path.write_text(f"# comment\n{name}: '{text}'\n")
    tries: list[tuple[str, dict[str, Any]]] = [
        (option.variable, {"environ": {option.variable: text}}),
        (f"{path}:2:", {"path": str(path)}),
    ]
    if not option.switch:
        tries.append((f"--{name}: ", {"flags": {name: text}}))
    for place, given in tries:
        with pytest.raises(ConfigError) as caught:
            settings(**given)
        line = str(caught.value)
        assert line.startswith(place) and says in line and "\n" not in line


@pytest.mark.parametrize("option", SATELLITE.options, ids=lambda option: option.name)
def test_what_is_shown_reads_back(option: Any) -> None:
    for wanted in [CASES[option.name][0], *(value for _, value in CASES[option.name][1])]:
        assert wanted is None or option.parse(option.show(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("listen: 127.0.0.1:1\nlisen: x\n", 2, "unknown key 'lisen'; did you mean listen?"),
        ("frobnicate: x\n", 1, "`levo satellite config reference` lists all keys"),
        ("listen: [1, 2]\n", 1, "takes one value"),
        ("- a\n", 1, "must be a mapping"),
        ("a: [\n", 2, "YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    path = tmp_path / "satellite.yaml"
    path.write_text(text)

    (problem,) = check_satellite_file(str(path))

    assert (problem.path, problem.line) == (str(path), line)
    assert says in str(problem)


@pytest.mark.parametrize("alone", ["tls-certificate", "tls-key"])
def test_certificate_and_key_go_together(alone: str) -> None:
    with pytest.raises(ConfigError, match=f"--{alone}: needs tls-"):
        settings({alone: HERE})


def test_the_default_file_is_read_where_it_exists_and_a_variable_names_another(tmp_path: Path) -> None:
    usual, other = tmp_path / "usual.yaml", tmp_path / "other.yaml"
    usual.write_text("listen: 127.0.0.1:1\n")
    other.write_text("listen: 127.0.0.1:2\n")

    assert load_settings({}, {}, default_path=str(usual)).config.listen.port == 1
    environ = {"LEVO_SATELLITE_CONFIG": str(other), "LEVO_CONFIG": "/nonexistent/sensor.yaml"}
    assert load_settings({}, environ, default_path=str(usual)).config.listen.port == 2


def test_the_data_directory_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def data_dir(environ: dict[str, str]) -> Path:
        return load_settings({}, environ, default_path=None).config.data_dir

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert data_dir({"XDG_DATA_HOME": "/d"}) == Path("/d/levo/satellite")
    assert data_dir({"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/levo/satellite"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert data_dir({"XDG_DATA_HOME": "/d"}) == Path("/var/lib/levo/satellite")


@pytest.mark.parametrize(
    ("text", "satellite"),
    [
        ("data-dir: /x\nlisten: :1\n", True),
        ("otlp-grpc: :1\nlisen: x\n", True),
        ("levo-env: x\nlisten: :1\n", False),
        ("listen: :1\n", False),
        ("", False),
        ("- a\n", False),
    ],
)
def test_whose_file_it_is_follows_from_its_keys(tmp_path: Path, text: str, satellite: bool) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    assert is_satellite_file(str(path)) is satellite
    assert not is_satellite_file("/nonexistent/config.yaml")
    assert is_satellite_file("/etc/levo/satellite/config.yaml")
