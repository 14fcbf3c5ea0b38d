"""What merging does beyond single values: files, contradictions, several errors, warnings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from levo.config import SatelliteUrl, Surroundings, check_file, load
from levo.config.merge import Merged
from levo.config.merge import merge as merge_table
from levo.config.render import show_json
from levo.config.satellite_settings import SATELLITE
from levo.errors import ConfigError, Problem

AROUND = Surroundings()


def merge(path: Path | None = None, env: dict[str, str] | None = None, **flags: object) -> Merged:
    given = {name.replace("_", "-"): flag for name, flag in flags.items()}
    return load(
        given,  # type: ignore[arg-type]
        env or {},
        path=str(path) if path else None,
        default_path="/nonexistent",
        surroundings=AROUND,
    )


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_the_default_file_is_read_where_it_exists(tmp_path: Path) -> None:
    path = write(tmp_path, "levo-env: staging\n")

    merged = load({}, {}, default_path=str(path), surroundings=AROUND)

    assert (merged.config.levo_env, merged.path) == ("staging", str(path))


def test_config_is_also_a_variable(tmp_path: Path) -> None:
    path = write(tmp_path, "levo-env: staging\n")

    assert merge(env={"LEVO_CONFIG": str(path)}).config.levo_env == "staging"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a: 1\n", ":1:1: unknown key 'a'"),
        ("levo-env: x\nrate-limt: 3\n", ":2:1: unknown key 'rate-limt'; did you mean rate-limit?"),
        ("levo-env: x\nlevo-env: y\n", ":2:1: levo-env: comes twice (first in line 1)"),
        ("- a\n", ":1:1: must be a mapping"),
        ("just text\n", ":1:1: must be a mapping"),
        ("levo-env: [a, b]\n", ":1:11: levo-env: takes one value, not a list"),
        ("levo-env: {a: b}\n", ":1:11: levo-env: must be a value or a list of values"),
        ("path-allow:\n  - a\n  - '('\n", ":3:5: path-allow: '(' is not a regex"),
        ("path-allow: [[a]]\n", ":1:14: path-allow: must be a list of plain values"),
        ("levo-env: 'x\n", " is not YAML: "),
        ("a: b: c\n", ":1:5: is not YAML: mapping values are not allowed here"),
        ("levo-env: a\n---\nlevo-env: b\n", "is not YAML: but found another document"),
        ("\x00", "is not YAML: "),
        ("levo-env: *x\n", "is not YAML: found undefined alias"),
        (
            "organization-id: a\nlevoai-org-id: b\n",
            ":2:1: levoai-org-id: means the same as organization-id above",
        ),
        (
            "url-filter:\n  rules:\n    - action: stop\n      host: x\n",
            ":3:15: url-filter.rules[0].action: 'stop'",
        ),
        ("config: x\n", ":1:1: unknown key 'config'"),
        ("x" * (1 << 20) + "y", "larger than 1MiB"),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(tmp_path: Path, content: str, line: str) -> None:
    path = write(tmp_path, content)

    with pytest.raises(ConfigError) as caught:
        merge(path)

    assert str(caught.value).startswith(str(path))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["/nonexistent/config.yaml", "/"])
def test_a_named_file_must_be_there(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"--config: '{missing}': "):
        merge(Path(missing))


def test_an_empty_file_and_empty_values_change_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "levo-env:\npath-allow:\n  # - ^/api\nurl-filter:\n")

    assert merge(path).config == merge().config
    assert merge(write(tmp_path, "")).config == merge().config


def test_empty_variables_are_not_set() -> None:
    assert (
        merge(env={"LEVO_ENV": "", "LEVO_RATE_LIMIT": " ", "LEVO_PATH_ALLOW": "\n"}).config == merge().config
    )


def test_organization_id_is_a_key_too(tmp_path: Path) -> None:
    assert merge(write(tmp_path, "organization-id: acme\n")).config.levoai_org_id == "acme"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"output": ("jsonl", "har")}, "--output: jsonl and har both write to standard output"),
        ({"output": ("jsonl:a", "har:a")}, "--output: two outputs write to the same file"),
        ({"output": ("otlp", "otlp")}, "--output: otlp is given twice"),
        ({"no_redact": True}, "--no-redact: sends credentials to the Satellite"),
        ({"no_redact": True, "output": ("jsonl", "otlp")}, "--no-redact: sends credentials"),
        ({"read": "a", "interfaces": ("lo",)}, "--interfaces: cannot go with --read"),
        ({"max_http_length": "64MiB", "max_memory": "16MiB"}, "--max-http-length: is larger than max-memory"),
        ({"host_allow": ("",)}, "--host-allow: is an empty regex"),
        ({"satellite_url": ""}, "--satellite-url: is empty"),
        ({"read": ""}, "--read: is empty"),
    ],
)
def test_contradictions(flags: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        merge(**flags)

    assert says in str(caught.value)


def test_a_contradiction_in_the_file_has_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, f"levo-env: x\ntls-client-key-path: {__file__}\n")

    with pytest.raises(ConfigError, match=r":2:22: tls-client-key-path: needs tls-client-cert-path"):
        merge(path)


def refuse(expression: str) -> None:
    raise ConfigError(Problem("--filter", f"{expression!r} cannot be compiled"))


def test_a_filter_that_cannot_be_compiled_is_named_where_it_stands(tmp_path: Path) -> None:
    path = write(tmp_path, "levo-env: x\nfilter: port\n")
    around = Surroundings()

    with pytest.raises(ConfigError, match=r"config.yaml:2:9: filter: 'port' cannot be compiled"):
        load({}, {}, path=str(path), surroundings=around, check_filter=refuse)
    with pytest.raises(ConfigError, match=r"^LEVO_FILTER: 'x' cannot be compiled"):
        load({}, {"LEVO_FILTER": "x"}, path=str(path), surroundings=around, check_filter=refuse)
    assert check_file(str(path), refuse)[0].line == 2
    # A capture file says only later what kind of frames it has.
    assert load({"read": "f"}, {}, path=str(path), surroundings=around, check_filter=refuse).config.filter


def test_a_missing_file_is_blamed_on_whoever_named_it() -> None:
    with pytest.raises(ConfigError, match=r"^LEVO_CONFIG: '/nonexistent/x': no such file"):
        load({}, {"LEVO_CONFIG": "/nonexistent/x"}, surroundings=Surroundings())
    with pytest.raises(ConfigError, match=r"^--config: '/nonexistent/y': no such file"):
        load({}, {"LEVO_CONFIG": "/x"}, path="/nonexistent/y", surroundings=Surroundings())
    with pytest.raises(ConfigError, match=r"^--config: is empty"):
        load({}, {}, path="", surroundings=Surroundings())


@pytest.mark.parametrize(
    ("flags", "environ", "says"),
    [
        (
            {"output": ("null",), "spool_dir": "/x"},
            {},
            ("--spool-dir: spool-dir has no effect: no output is otlp",),
        ),
        ({"output": ("null",)}, {"LEVO_SATELLITE_URL": "s:1"}, ("LEVO_SATELLITE_URL: satellite-url has no",)),
        (
            {"output": ("null",), "no_redact": True},
            {"LEVO_REDACT": "fields: [a]"},
            ("LEVO_REDACT: redact has",),
        ),
        ({"satellite_url": "s:1", "spool_dir": "/x", "output": ("null", "otlp")}, {}, ()),
        ({"output": ("null",)}, {}, ()),
    ],
)
def test_what_has_no_effect_is_said(
    flags: dict[str, object], environ: dict[str, str], says: tuple[str, ...]
) -> None:
    warnings = merge(None, environ, **flags).warnings

    assert len(warnings) == len(says)
    assert all(warning.startswith(start) for warning, start in zip(warnings, says, strict=True))


def test_all_errors_are_collected_flags_first(tmp_path: Path) -> None:
    path = write(tmp_path, "rate-limit: x\nfoo: 1\n")

    with pytest.raises(ConfigError) as caught:
        merge(path, {"LEVO_LOG_LEVEL": "loud"}, trace_export_interval="soon")

    assert [problem.where for problem in caught.value.problems] == [
        "LEVO_LOG_LEVEL",
        "--trace-export-interval",
        "rate-limit",
        "",
    ]
    assert str(caught.value).endswith("(and 3 more)")


def test_check_file_lists_problems_in_the_order_of_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path, "foo: 1\nrate-limit: x\nurl-filter: {rules: [{action: no}, {action: ignore, host: a}]}\n"
    )

    assert [(problem.line, problem.column) for problem in check_file(str(path))] == [(1, 1), (2, 13), (3, 31)]


def test_a_near_miss_among_variables_is_a_warning() -> None:
    merged = merge(env={"LEVO_RATELIMIT": "3", "LEVO_SOMETHING_ELSE": "x", "PATH": "y", "LEVO_CONFIG": ""})

    assert merged.warnings == (
        "environment variable 'LEVO_RATELIMIT' is not known; did you mean LEVO_RATE_LIMIT?",
    )


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("", SatelliteUrl("grpc", "localhost", 4317, False)),
        ("collector-endpoint: c:1\n", SatelliteUrl("grpc", "c", 1, False)),
        ("collector-endpoint: c:1\ncollector-grpc-transport: false\n", SatelliteUrl("http", "c", 1, False)),
        ("collector-endpoint: https://c\n", SatelliteUrl("grpc", "c", 443, True)),
        ("collector-endpoint: c:1\nsatellite-url: http://s\n", SatelliteUrl("http", "s", 80, False)),
    ],
)
def test_where_traces_go(tmp_path: Path, file: str, wanted: SatelliteUrl) -> None:
    assert merge(write(tmp_path, file)).config.satellite == wanted


def test_numbers_in_the_file_are_what_was_written(tmp_path: Path) -> None:
    """YAML 1.1 would read 0777 as octal, 1_0 as ten and 1:30 as ninety."""
    assert merge(write(tmp_path, "rate-limit: 0777\n")).config.rate_limit == 777
    assert merge(write(tmp_path, "levo-env: no\n")).config.levo_env == "no"
    with pytest.raises(ConfigError, match="'1:30' is not a time"):
        merge(write(tmp_path, "trace-export-interval: 1:30\n"))


BEFORE = Path(__file__).parent / "before"
"""Files with every key of their time, and what the code of their time made of them."""


def test_the_sensors_files_of_an_earlier_commit_mean_what_they_meant() -> None:
    loaded = load({}, {}, path=str(BEFORE / "sensor.yaml"), surroundings=AROUND)
    meant = json.loads((BEFORE / "sensor.json").read_text())

    found = {name: each["value"] for name, each in json.loads(show_json(loaded)).items()}
    assert {name: found[name] for name in meant} == meant


def test_the_satellites_files_of_an_earlier_commit_mean_what_they_meant() -> None:
    loaded = merge_table(SATELLITE, {}, {}, path=str(BEFORE / "satellite.yaml"), surroundings=AROUND)
    meant = json.loads((BEFORE / "satellite.json").read_text())

    for name, value in meant.items():
        found = getattr(loaded.config, SATELLITE.by_name[name].field)
        assert (found if isinstance(found, int) or found is None else str(found)) == value


def test_a_file_that_others_can_change_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("rate-limit: 5\n")
    assert load({}, {}, path=str(file)).warnings == ()
    file.chmod(0o666)
    (warning,) = load({}, {}, path=str(file)).warnings
    assert warning.startswith(f"{file} decides what is captured") and warning.endswith("may write it")
