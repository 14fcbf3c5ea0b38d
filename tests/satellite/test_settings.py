from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.satellite.settings import Address, default_data_dir, load_settings, parse_address, parse_size

NO_FLAGS: dict[str, str | None] = {"data-dir": None, "listen": None, "otlp-grpc": None, "otlp-http": None}


def test_defaults() -> None:
    settings = load_settings(NO_FLAGS, None, {"HOME": "/nowhere"})

    assert [str(a) for a in (settings.listen, settings.otlp_grpc, settings.otlp_http)] == [
        "127.0.0.1:9999",
        "127.0.0.1:4317",
        "127.0.0.1:4318",
    ]


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "satellite.yaml"
    file.write_text(
        "listen: 127.0.0.1:1\notlp-grpc: 127.0.0.1:2\notlp-http: 127.0.0.1:3\nmax-request-bytes: 1MiB\n"
    )
    environment = {"LEVO_SATELLITE_OTLP_GRPC": "127.0.0.1:22", "LEVO_SATELLITE_OTLP_HTTP": "127.0.0.1:33"}
    settings = load_settings({**NO_FLAGS, "otlp-http": "[::1]:333", "data-dir": "/x"}, file, environment)

    assert (settings.listen.port, settings.otlp_grpc.port, settings.otlp_http) == (1, 22, Address("::1", 333))
    assert (settings.max_request_bytes, settings.data_dir) == (1 << 20, Path("/x"))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("listen: 127.0.0.1:1\nlisen: x\n", 2, "lisen"),
        ("listen: [1, 2]\n", 1, "listen"),
        ("listen: nowhere\n", 1, "listen"),
        ("journal-max-bytes: much\n", 1, "journal-max-bytes"),
        ("- a\n", 1, "the file"),
        ("a: [\n", 2, "not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, key: str
) -> None:
    file = tmp_path / "satellite.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load_settings(NO_FLAGS, file, {})

    (problem,) = wrong.value.problems
    assert (problem.path, problem.line, problem.where) == (str(file), line, key)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_settings(
            {**NO_FLAGS, "listen": "x"}, tmp_path / "absent", {"LEVO_SATELLITE_MAX_REQUEST_BYTES": "-1"}
        )

    assert {p.where for p in wrong.value.problems} == {
        "--listen",
        "--config",
        "LEVO_SATELLITE_MAX_REQUEST_BYTES",
    }


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::]:9999", Address("::", 9999)),
        (":80", Address("0.0.0.0", 80)),
        ("host:65535", Address("host", 65535)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:65536", "host:-1", "::1:80", "host:x", "80"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


def test_loopback() -> None:
    assert all(parse_address(text).is_loopback for text in ("127.0.0.2:1", "[::1]:1", "localhost:1"))
    assert not any(parse_address(text).is_loopback for text in ("0.0.0.0:1", ":1", "[::]:1", "10.0.0.1:1"))


def test_sizes() -> None:
    assert [parse_size(text) for text in ("65536", "64KiB", "64 mb", "2GB")] == [
        65536,
        65536,
        64 << 20,
        2 << 30,
    ]
    for text in ("", "1", "x", "1.5GiB", "64TiB", "-64MiB"):
        with pytest.raises(ValueError):
            parse_size(text)


def test_the_data_directory_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert default_data_dir({"XDG_DATA_HOME": "/d"}) == Path("/d/levo/satellite")
    assert default_data_dir({"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/levo/satellite"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_dir({"XDG_DATA_HOME": "/d"}) == Path("/var/lib/levo/satellite")
