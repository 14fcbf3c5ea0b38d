"""Pages over catalogs with known content."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette

from levo.satellite.store import CatalogReader
from levo.satellite.web.pages import PAGE_ROWS, Pages, ago, amount, path_parts
from tests.satellite.asgi import call
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


def page(reader: CatalogReader, target: str = "/") -> str:
    app = Starlette(routes=list(Pages(reader, "http://127.0.0.1:9999", lambda: NOW + SECOND).routes()))
    answer = call(app, "GET", target)
    assert answer.status == 200
    return answer.body.decode()


def test_an_empty_catalog_says_what_to_do_next(tmp_path: Path) -> None:
    text = page(catalog(tmp_path / "catalog", []))

    assert "levo apidump --satellite-url http://127.0.0.1:9999</code>" in text
    assert "<table" not in text


def test_a_row_shows_what_is_known(tmp_path: Path) -> None:
    text = page(catalog(tmp_path / "catalog", [trace(weight=1234), trace(status=404)]))

    for shown in (
        "/users/<var>{id}</var>",
        "shop.example",
        "1,235",
        "2xx <b>1,234</b>",
        "4xx <b>1</b>",
        "staging",
    ):
        assert shown in text


def test_filters_are_kept_in_links_and_fields(tmp_path: Path) -> None:
    traces = [trace(f"/{a}{b}x") for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"]
    reader = catalog(tmp_path / "catalog", traces)
    text = page(reader, "/?method=GET&q=x&sort=exchanges")

    assert f'href="?method=GET&amp;q=x&amp;sort=exchanges&amp;offset={PAGE_ROWS}"' in text
    assert '<option value="GET" selected>' in text and 'value="x"' in text
    assert f"{PAGE_ROWS + 1}\N{EN DASH}256 of 256" in page(reader, f"/?offset={PAGE_ROWS}")


def test_nothing_found_is_not_nothing_known(tmp_path: Path) -> None:
    text = page(catalog(tmp_path / "catalog", [trace()]), "/?q=nowhere")

    assert "Nothing matches" in text and "apidump" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (4, "now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7199, "1 h ago"),
        (86400, "1 d ago"),
        (-9, "now"),
    ],
)
def test_ago(seconds: int, text: str) -> None:
    assert ago(NOW, NOW + seconds * SECOND) == text


def test_ago_becomes_a_date() -> None:
    assert ago(NOW, NOW + 8 * 86400 * SECOND) == "2023-11-14"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (12345.4, "12,345"), (2.5e6, "2.5 M")])
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


def test_path_parts() -> None:
    assert path_parts("/a/{id}/") == [("/", False), ("a", False), ("/", False), ("{id}", True), ("/", False)]
