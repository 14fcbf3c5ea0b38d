"""What every table must keep to, and what both halves read in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from levo.config import SENSOR, Option, Surroundings, Table, merge
from levo.config.client import CLIENT
from levo.config.satellite_settings import SATELLITE
from levo.errors import ConfigError

HALVES = [SENSOR, SATELLITE]
both = pytest.mark.parametrize("table", HALVES, ids=lambda table: table.title)


def options(metavar: str) -> list[Any]:
    return [
        pytest.param(table, option, id=f"{table.title}-{option.name}")
        for table in HALVES
        for option in table.options
        if option.metavar == metavar
    ]


def read(table: Table[Any], option: Option, text: str, place: str, tmp_path: Path) -> Any:
    flags: dict[str, str] = {option.name: text} if place == "flag" else {}
    environ = {option.variable: text} if place == "variable" else {}
    path = None
    if place == "file":
        file = tmp_path / "config.yaml"
        file.write_text(f"{option.name}: {text}\n")
        path = str(file)
    around = Surroundings(memory_budget_bytes=1 << 40)
    loaded = merge(table, flags, environ, path=path, surroundings=around)
    return getattr(loaded.config, option.field)


SIZES = [
    ("10MB", 10_000_000),
    ("10mb", 10_000_000),
    ("10MiB", 10_485_760),
    ("10 MiB", 10_485_760),
    ("10Mi", 10_485_760),
    ("5242880", 5_242_880),
    ("5_242_880", 5_242_880),
    ("0.5GB", 500_000_000),
    ("0.25GiB", 1 << 28),
    ("9000KiB", 9_216_000),
    ("9000KB", 9_000_000),
]
NO_SIZES = ["10M", "64m", "much", "-64MiB", "0x10", "1e6", "10 MB MB", "", "10MBit", "٣MB"]
DURATIONS = [
    ("10", 10_000_000_000),
    ("10s", 10_000_000_000),
    ("1.0", 1_000_000_000),
    ("500ms", 500_000_000),
    ("1m30s", 90_000_000_000),
    ("1h", 3_600_000_000_000),
    ("24h", 86_400_000_000_000),
    ("1d", 86_400_000_000_000),
    ("1D", 86_400_000_000_000),
]
NO_DURATIONS = ["0", "-1s", "soon", "10 s 5", "1w", "1e3", "400d", "10 years"]


@pytest.mark.parametrize("place", ["flag", "variable", "file"])
@pytest.mark.parametrize(("table", "option"), options("SIZE"))
def test_a_size_means_the_same_everywhere(
    table: Table[Any], option: Option, place: str, tmp_path: Path
) -> None:
    assert {text: read(table, option, text, place, tmp_path) for text, _ in SIZES} == dict(SIZES)


@pytest.mark.parametrize(("table", "option"), options("SIZE"))
def test_what_is_no_size_is_refused_everywhere(table: Table[Any], option: Option, tmp_path: Path) -> None:
    for text in NO_SIZES:
        with pytest.raises(ConfigError) as caught:
            read(table, option, text, "flag", tmp_path)
        assert str(caught.value).startswith(option.flag)


@pytest.mark.parametrize("place", ["flag", "variable", "file"])
@pytest.mark.parametrize(("table", "option"), options("TIME"))
def test_a_duration_means_the_same_everywhere(
    table: Table[Any], option: Option, place: str, tmp_path: Path
) -> None:
    assert {text: read(table, option, text, place, tmp_path) for text, _ in DURATIONS} == dict(DURATIONS)


@pytest.mark.parametrize(("table", "option"), options("TIME"))
def test_what_is_no_duration_is_refused_everywhere(table: Table[Any], option: Option, tmp_path: Path) -> None:
    for text in NO_DURATIONS:
        with pytest.raises(ConfigError) as caught:
            read(table, option, text, "flag", tmp_path)
        assert str(caught.value).startswith(option.flag)


@both
@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("LEVO_RATELIMIT", "did you mean LEVO_RATE_LIMIT?"),
        ("LEVO_SATELLITE_LISTN", "did you mean LEVO_SATELLITE_LISTEN?"),
        ("LEVO_SATELLITE_DATADIR", "did you mean LEVO_SATELLITE_DATA_DIR?"),
        ("LEVO_SATELLITE_TOKN", "did you mean LEVO_SATELLITE_TOKEN?"),
        ("LEVO_SATELITE_URL", "did you mean LEVO_SATELLITE_URL?"),
        ("LEVO_SATELLITE_NONSENSE", "nothing reads it"),
    ],
)
def test_a_misspelled_variable_is_reported(table: Table[Any], variable: str, says: str) -> None:
    warnings = merge(table, {}, {variable: "1"}, surroundings=Surroundings()).warnings

    assert warnings == (f"environment variable '{variable}' is not known; {says}",)


@both
def test_what_is_not_misspelled_is_not_reported(table: Table[Any]) -> None:
    """Both halves' variables in one environment, those of others, and what Kubernetes sets for a service."""
    environ = {
        "LEVO_SATELLITE_OTLP_GRPC": "127.0.0.1:1",
        "LEVO_SATELLITE_CONFIG": "",
        "LEVO_CONFIG": "",
        "LEVO_SATELLITE_URL": "http://127.0.0.1:9999",
        "LEVO_SATELLITE_TOKEN": "t",
        "LEVO_RATE_LIMIT": "3",
        "LEVO_SOMETHING_ELSE": "x",
        "LEVO_SATELLITE_SERVICE_HOST": "10.0.0.1",
        "LEVO_SATELLITE_SERVICE_PORT": "9999",
        "LEVO_SATELLITE_SERVICE_PORT_OTLP_GRPC": "4317",
        "LEVO_SATELLITE_PORT": "tcp://10.0.0.1:9999",
        "LEVO_SATELLITE_PORT_9999_TCP_ADDR": "10.0.0.1",
    }
    assert merge(table, {}, environ, surroundings=Surroundings()).warnings == ()


@both
@pytest.mark.parametrize("change", [str.upper, lambda key: key + "x", lambda key: key.replace("-", "_")])
def test_a_misspelled_key_is_an_error_with_its_line(table: Table[Any], change: Any, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    key = change(next(name for name in table.by_key if "-" in name))
    path.write_text(f"# comment\n{key}: x\n")

    with pytest.raises(ConfigError, match=f":2:1: unknown key '{key}'"):
        merge(table, {}, {}, path=str(path), surroundings=Surroundings())


@both
def test_names_of_times_and_sizes_tell_their_unit(table: Table[Any]) -> None:
    for option in table.options:
        unit = {"TIME": "_ns", "DAYS": "_ns", "SIZE": "_bytes"}.get(option.metavar)
        assert unit is None or option.field.endswith(unit), option.name
        assert unit is not None or not option.field.endswith(("_ns", "_s", "_seconds", "_bytes")), option.name


@pytest.mark.parametrize("table", [*HALVES, CLIENT], ids=lambda table: table.title)
def test_a_secret_is_shown_nowhere(table: Table[Any]) -> None:
    """Neither in what is wrong with it, nor where all settings are shown."""
    from levo.config.render import show_json, show_settings

    secrets = [option for option in table.options if option.secret]
    assert secrets or table is SATELLITE
    for option in secrets:
        for bad in ("hunter2\x01", "hunter2 ü", "hunter2 more", "<hunter2>"):
            with pytest.raises(ConfigError) as caught:
                merge(table, {option.name: bad}, {}, surroundings=Surroundings())
            assert "hunter2" not in str(caught.value)
        good = "http://u:hunter2@p:1" if option.metavar == "URL" else "hunter2"
        loaded = merge(table, {option.name: good}, {}, surroundings=Surroundings())
        for text in (show_settings(table, loaded), show_json(loaded, table), repr(loaded)):
            assert "hunter2" not in text


@pytest.mark.parametrize("table", [*HALVES, CLIENT], ids=lambda table: table.title)
def test_names_are_unambiguous(table: Table[Any]) -> None:
    flags = [flag for option in table.options for flag in (*option.flags, *option.older_flags)]

    assert len(set(flags)) == len(flags)
    assert len(table.by_variable) == len(table.options)
    assert {option.section for option in table.options} <= table.sections.keys() or table is CLIENT


def test_defaults_follow_the_surroundings() -> None:
    around = Surroundings(terminal=True, memory_budget_bytes=64 << 20, satellite_dir="/d")

    assert merge(SENSOR, {}, {}, surroundings=around).config.max_memory_bytes == 64 << 20
    assert str(merge(SATELLITE, {}, {}, surroundings=around).config.data_dir) == "/d"
