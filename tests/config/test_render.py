"""The generated documents: the files in docs/ are what the code says, and the reference file is neutral."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from levo.config import OPTIONS, Surroundings, check_file, load, merge
from levo.config.options import SECTIONS
from levo.config.render import reference_file, reference_page, show, show_json
from levo.config.satellite_settings import SATELLITE, check_satellite_file

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
AROUND = Surroundings(memory_budget=100 << 20, memory_reason="half of the memory limit")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("configuration.md", reference_page),
        ("config.yaml", reference_file),
        ("satellite-configuration.md", lambda: reference_page(SATELLITE)),
        ("satellite-config.yaml", lambda: reference_file(SATELLITE)),
    ],
)
def test_the_reference_in_docs_is_current(name: str, make) -> None:
    """Renew with: levo config reference > docs/reference/config.yaml, and --page for configuration.md.

    The Satellite's with: levo satellite config reference > docs/reference/satellite-config.yaml, and --page.
    """
    assert (DOCS / name).read_text(encoding="utf-8") == make()


def test_the_reference_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(reference_file())

    with_it = load({}, {}, path=str(path), surroundings=AROUND)
    without = load({}, {}, default_path="/nonexistent", surroundings=AROUND)

    assert check_file(str(path)) == []
    assert with_it.config == without.config


def test_the_reference_file_of_the_satellite_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(reference_file(SATELLITE))

    assert merge(SATELLITE, {}, {}, path=str(path), surroundings=AROUND).config == (
        merge(SATELLITE, {}, {}, surroundings=AROUND).config
    )


def test_every_setting_of_the_satellites_file_is_there_and_valid(tmp_path: Path) -> None:
    """All of them uncommented at once, except those whose example names a file that is not here."""
    lines = [line[1:] for line in reference_file(SATELLITE).splitlines() if re.match("#[a-z]", line)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(lines) + "\n")

    assert [line.partition(":")[0] for line in lines] == [option.name for option in SATELLITE.options]
    absent = {"tls-certificate", "tls-key", "tls-ca-certificate"}
    assert {problem.where for problem in check_satellite_file(str(path))} <= absent


def test_every_commented_setting_of_the_reference_file_is_valid_alone(tmp_path: Path) -> None:
    """Taking away the comment sign of any one setting gives a file that is read."""
    blocks: dict[str, list[str]] = {}
    current = None
    for line in reference_file().splitlines():
        if line.startswith("#") and line[1:2].isalpha():
            current = line[1:].partition(":")[0]
            blocks[current] = [line[1:]]
        elif current and line.startswith("#  "):
            blocks[current].append(line[1:])
        else:
            current = None
    assert set(blocks) | {"collector-endpoint"} == {option.name for option in OPTIONS}
    for name, lines in blocks.items():
        path = tmp_path / "config.yaml"
        path.write_text("\n".join(lines) + "\n")
        assert list(yaml.safe_load(path.read_text())) == [name]
        missing_files = [p for p in check_file(str(path)) if "is not a file" not in p.text]
        assert missing_files == [] or name in ("tls-client-key-path",)


def test_the_reference_file_has_the_ordered_banner() -> None:
    rule = "# " + "-" * 92
    lines = reference_file().splitlines()
    at = lines.index("# Satellite Settings:")

    assert lines[at - 1 : at + 4] == [
        rule,
        "# Satellite Settings:",
        rule,
        "# host:port for the collector service receiving the sensor's API traces.",
        "collector-endpoint: localhost:4317",
    ]
    for section in SECTIONS:
        assert f"# {section}:" in lines


def test_show_names_value_and_origin_of_every_setting() -> None:
    merged = load(
        {"rate-limit": "5", "satellite-url": "http://s"},
        {"LEVO_ENV": "prod", "LEVO_HTTPS_PROXY": "http://u:hunter2@p:1", "LEVO_SATELLITE_TOKEN": "hunter2"},
        default_path="/nonexistent",
        surroundings=AROUND,
    )

    lines = {line.split()[0]: line.split(None, 1)[1] for line in show(merged).splitlines()}

    assert lines["rate-limit"].split() == ["5", "--rate-limit"]
    assert lines["levo-env"].split() == ["prod", "LEVO_ENV"]
    assert lines["max-memory"].split(None, 1) == ["100MiB", lines["max-memory"].split(None, 1)[1]]
    assert lines["max-memory"].endswith("default (half of the memory limit)")
    assert set(lines) == {option.name for option in OPTIONS} | {"(sends"}
    assert "http://s:80" in show(merged).splitlines()[-1]
    for text in (show(merged), show_json(merged), repr(merged.config)):
        assert "hunter2" not in text
    assert json.loads(show_json(merged))["levo-env"] == {"value": "prod", "origin": "LEVO_ENV"}
