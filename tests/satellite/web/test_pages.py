"""Pages over catalogs with known content."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette

from levo.satellite.learn import Trace
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.desk import Desk
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.insight import place_of
from levo.satellite.web.insight_pages import InsightPages
from levo.satellite.web.pages import PAGE_ROWS, Pages
from levo.satellite.web.render import Renderer
from tests.satellite.asgi import call
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


class Site:
    """All pages over one catalog."""

    def __init__(self, folder: Path, traces: list[Trace | None] | list[Trace] | None) -> None:
        self.desk = Desk(folder / "desk.sqlite3")
        if traces is not None:
            catalog(folder / "catalog", traces).close()
        self.reader = CatalogReader(folder / "catalog", self.desk.path)
        catalogs = Catalogs(self.reader, self.desk)
        catalogs.whole.refresh()
        self._now_ns = NOW + SECOND
        renderer = Renderer("http://127.0.0.1:9999", lambda: self._now_ns)
        pages = Pages(catalogs, self.desk, renderer)
        more = InsightPages(catalogs, self.desk, renderer)
        self.app = Starlette(routes=[*pages.routes(), *more.routes()])

    def later(self, seconds: int) -> None:
        """Let time pass."""
        self._now_ns += seconds * SECOND

    def get(self, target: str, status: int = 200) -> str:
        """Return the page, without the places where a long path may break."""
        answer = call(self.app, "GET", target)
        assert answer.status == status
        return answer.body.decode().replace("<wbr>", "")


EVERY_PAGE = ("/", "/catalog", "/sensitive", "/changes", "/encrypted", "/reference", "/sensors")


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_page_of_an_empty_catalog_says_what_to_do_next(tmp_path: Path, path: str) -> None:
    page = Site(tmp_path, []).get(path)
    assert "levo apidump --satellite-url http://localhost</code>" in page and 'href="/connect"' in page


@pytest.mark.parametrize("path", [*EVERY_PAGE, "/endpoints/1", "/?range=90d", "/endpoints/1?range=7d"])
def test_every_page_shows_what_is_known(tmp_path: Path, path: str) -> None:
    text = Site(tmp_path, [trace(), trace(status=503)]).get(path)

    assert "levo apidump" not in text or path in ("/sensitive", "/encrypted", "/sensors")
    assert " style=" not in text and "<script>" not in text


def test_a_row_shows_what_is_known(tmp_path: Path) -> None:
    text = Site(tmp_path, [trace(weight=1234), trace(status=404)]).get("/catalog")

    for shown in ("/users/<var>{", "shop.example", "1,235", "2xx <b>1,234</b>", "4xx <b>1</b>", "staging"):
        assert shown in text


def test_the_url_is_the_state(tmp_path: Path) -> None:
    traces = [trace("/x", application=f"app {n}") for n in range(PAGE_ROWS + 5)]
    site = Site(tmp_path, traces)
    text = site.get("/catalog?method=GET&q=x&sort=exchanges")

    assert f"method=GET&amp;q=x&amp;sort=exchanges&amp;offset={PAGE_ROWS}" in text
    assert 'name="method" value="GET"' in text and 'value="x"' in text


def test_nothing_found_is_not_nothing_known(tmp_path: Path) -> None:
    text = Site(tmp_path, [trace()]).get("/catalog?q=nowhere")

    assert "Nothing matches" in text and "apidump" not in text


@pytest.mark.parametrize(
    "query",
    [
        "?sort=x",
        "?nonsense=1",
        "?new=2h",
        "?review=x",
        "?offset=-1",
        "?q=%00",
        "?host=a%00b",
        "?q=" + "x" * 301,
    ],
)
def test_bad_queries_are_refused(tmp_path: Path, query: str) -> None:
    Site(tmp_path, [trace()]).get(f"/catalog{query}", 400)


@pytest.mark.parametrize(
    "value", ["' OR 1=1 --", '" UNION SELECT 1', "%", "_", "\\", "x'; DROP TABLE endpoint; --"]
)
def test_sql_in_a_filter_is_text(tmp_path: Path, value: str) -> None:
    from urllib.parse import quote

    site = Site(tmp_path, [trace("/plain")])
    for name in ("q", "application", "environment", "organization", "host", "method"):
        assert "Nothing matches" in site.get(f"/catalog?{name}={quote(value)}")
    assert "/plain" in site.get("/catalog")


def test_an_ignored_endpoint_leaves_the_catalog_and_comes_back(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace("/kept", host="a.example"), trace("/junk", host="b.example")])
    row = next(r for r in site.reader.endpoints(EndpointFilter())[1] if r.path == "/junk")
    made = site.desk.decide("ignore", place_of(row), "", "anna", NOW)

    assert "/junk" not in site.get("/catalog") and "/kept" in site.get("/catalog")
    assert "/junk" in site.get("/catalog?review=ignored")
    site.desk.undo(made, NOW + 1)
    assert "/junk" in site.get("/catalog")


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_a_page_that_would_say_the_same_later_is_not_sent_again(tmp_path: Path, path: str) -> None:
    site = Site(tmp_path, [trace()])
    first = call(site.app, "GET", path)
    site.later(20)
    again = call(site.app, "GET", path, headers={"if-none-match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
    assert "<time" not in first.body.decode() or call(site.app, "GET", path).body != first.body
    assert call(site.app, "GET", path, headers={"if-none-match": '"other"'}).status == 200


def test_a_page_says_which_state_of_the_catalog_it_shows(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace()])

    assert f'data-revision="{site.reader.revision()}"' in site.get("/catalog")


@pytest.mark.parametrize(("cookie", "mark"), [("theme=dark", True), ("theme=x", False), ("", False)])
def test_the_colours_chosen_on_a_device_are_in_the_page(tmp_path: Path, cookie: str, mark: bool) -> None:
    page = call(Site(tmp_path, [trace()]).app, "GET", "/", headers={"cookie": cookie}).body.decode()

    assert ('<html lang="en" data-theme="dark">' in page) is mark
    assert "data-theme=" not in page or mark


def test_an_endpoint_says_why_its_template_is_as_it_is(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace(f"/users/{number}") for number in range(1000, 1040)])
    page, evidence = site.get("/endpoints/1"), site.get("/endpoints/1/evidence")

    assert 'href="/endpoints/1/evidence"' in page and "% sure" in page
    assert "{userId}" in evidence and "parameter" in evidence and "/users" in evidence
    site.get("/endpoints/9/evidence", 404)


def test_the_overview_says_how_much_is_hidden_by_encryption(tmp_path: Path) -> None:
    assert "nothing hidden" in Site(tmp_path, [trace()]).get("/")
