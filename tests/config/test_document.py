"""The YAML reader: any octets give entries or one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levo.config import check_file
from levo.config.document import Document, url_filter
from levo.errors import ConfigError
from tests.helpers.effort import scaled

NAMES = ["levo-env", "ip-filter-list", "url-filter", "rules", "entries", "redact", "action", "null"]
SIGNS = [
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "&a ",
    "*a",
    "x",
    "!!int ",
    "|",
    "~",
    "---",
    "? ",
    ": ",
    "\n",
    "  ",
    "- ",
]
PIECES = st.sampled_from([*NAMES, *SIGNS, "\t", "# "])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=scaled(200))
@given(
    octets=st.one_of(st.binary(max_size=80), st.lists(PIECES, max_size=25).map(lambda p: "".join(p).encode()))
)
def test_any_octets_are_settings_or_problems_with_a_place(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(octets)

    for problem in check_file(str(path)):
        assert "\n" not in str(problem)
        assert problem.path == str(path)


def test_an_anchor_may_refer_to_itself() -> None:
    document = Document("f")

    url_filter(document, document.compose("&a {rules: *a}"), "url-filter")

    assert [str(problem) for problem in document.problems] == [
        "f:1:1: url-filter.rules: must be a list: lines that begin with `- `"
    ]


def test_positions_count_from_one() -> None:
    document = Document("f")
    with pytest.raises(ConfigError, match=r"^f:2:4: is not YAML"):
        document.compose("a: 1\nb: @\n")
