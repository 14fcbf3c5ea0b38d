"""Pages over catalogs with known content."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bench.satellite.seed import seed
from starlette.applications import Starlette

from levo.satellite.catalog.place import place_of
from levo.satellite.learn import (
    Detectors,
    LearnSettings,
    NameRule,
    Run,
    SensorReport,
    State,
    Trace,
    learn,
    learn_sensor,
)
from levo.satellite.queue import Position
from levo.satellite.readiness import Readiness
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.userdata import UserData
from levo.satellite.supervisor import SupervisorStatistics
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.learned_pages import LearnedPages
from levo.satellite.web.pages import PAGE_ROWS, Pages
from levo.satellite.web.posture_pages import PosturePages
from levo.satellite.web.render import Renderer
from tests.satellite.asgi import call
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


def ready() -> Readiness:
    well = SupervisorStatistics(0, True, None, 0.0)
    return Readiness(stopping=lambda: False, refusal=lambda: "", learner=lambda: well)


class Site:
    """All pages over one catalog."""

    def __init__(self, folder: Path, traces: list[Trace | None] | list[Trace] | None) -> None:
        self.userdata = UserData(folder / "userdata.sqlite3")
        if traces is not None:
            catalog(folder / "catalog", traces).close()
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        catalogs = Catalogs(self.reader)
        self._now_ns = NOW + SECOND
        renderer = Renderer("http://127.0.0.1:9999", lambda: self._now_ns)
        pages = Pages(
            catalogs, self.userdata.decisions, self.userdata.findings, self.userdata.views, renderer, ready()
        )
        more = LearnedPages(catalogs, renderer)
        posture = PosturePages(catalogs, self.userdata.findings, self.userdata.audit, renderer)
        self.app = Starlette(routes=[*pages.routes(), *more.routes(), *posture.routes()])

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
    made = site.userdata.decisions.decide("ignore", place_of(row), "", "anna", NOW)

    assert "/junk" not in site.get("/catalog") and "/kept" in site.get("/catalog")
    assert "/junk" in site.get("/catalog?review=ignored")
    site.userdata.decisions.undo(made, NOW + 1)
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
def test_the_colors_chosen_on_a_device_are_in_the_page(tmp_path: Path, cookie: str, mark: bool) -> None:
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


def text_of(page: str, start: str, end: str) -> str:
    """The text between two places of a page, without its elements."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.split(start, 1)[1].split(end, 1)[0]).split())


def ten_minutes(path: str = "/users/1", minutes: int = 10, **more: Any) -> list[Trace]:
    """One exchange a second until now."""
    return [trace(path, end_ns=NOW + SECOND - at * SECOND, **more) for at in range(60 * minutes, 0, -1)]


@pytest.mark.parametrize("chosen", ["1h", "24h", "7d", "90d"])
def test_a_rate_is_over_the_time_observed_at_every_range(tmp_path: Path, chosen: str) -> None:
    site = Site(tmp_path, ten_minutes())

    overview = text_of(site.get(f"/?range={chosen}"), 'id="tiles"', "Server errors")
    endpoint = text_of(site.get(f"/endpoints/1?range={chosen}"), 'id="tiles"', "Server errors")
    assert "Exchanges 600 1.0 a second over 10 min" in overview
    assert "Rate 1.0/s over 10 min" in endpoint


def test_each_application_has_been_observed_for_its_own_time(tmp_path: Path) -> None:
    """An endpoint is observed from when its application is, called or not."""
    late = [trace("/late", application="shop", host="late.example", end_ns=NOW)]
    site = Site(tmp_path, [*ten_minutes("/a", 50, application="old"), *ten_minutes("/b", 10), *late])
    rows = {row.path: row.id for row in site.reader.endpoints(EndpointFilter())[1]}

    shown = {
        path: text_of(site.get(f"/endpoints/{identity}?range=90d"), "<span>Rate", "Server errors")
        for path, identity in rows.items()
    }
    assert shown == {"/a": "1.0/s over 50 min", "/b": "1.0/s over 10 min", "/late": "6.0/h over 10 min"}
    assert "over 50 min" in text_of(site.get("/?range=90d"), 'id="tiles"', "Server errors")


def test_an_old_catalog_has_the_rate_of_its_range(tmp_path: Path) -> None:
    early = trace(end_ns=NOW - 40 * 86_400 * SECOND)
    site = Site(tmp_path, [early, *ten_minutes(minutes=5)])

    assert "13 an hour over 24h" in text_of(site.get("/?range=24h"), 'id="tiles"', "Server errors")


def test_the_figures_of_an_endpoint_follow_the_range_or_say_since_when(tmp_path: Path) -> None:
    early = NOW - 5 * 86_400 * SECOND
    old = [trace(status=500, weight=900.0, end_ns=early), trace(status=404, weight=50.0, end_ns=early)]
    site = Site(tmp_path, [*old, trace(weight=40.0), trace(status=503, weight=10.0)])

    hour = text_of(site.get("/endpoints/1?range=1h"), 'id="tiles"', "p50")
    week = text_of(site.get("/endpoints/1?range=7d"), 'id="tiles"', "p50")
    assert "Exchanges 50 1,000 since first seen" in hour
    assert "Server errors 20 % 10 exchanges Client errors 0 % 0 exchanges" in hour
    assert "Exchanges 1,000 1,000 since first seen" in week
    assert "Server errors 91 % 910 exchanges Client errors 5.0 % 50 exchanges" in week
    assert "Answers since first seen" in text_of(site.get("/endpoints/1"), 'id="statuses"', "</section>")


def test_the_endpoints_that_fail_are_those_of_the_range(tmp_path: Path) -> None:
    past = NOW - 5 * 86_400 * SECOND
    old = [trace("/old", host="old.example", status=status, end_ns=past) for status in (200, 500)]
    site = Site(tmp_path, old + [trace("/new", host="new.example", status=status) for status in (200, 500)])
    shown = {r: text_of(site.get(f"/?range={r}"), 'id="t-bad"', 'class="more"') for r in ("1h", "7d")}

    assert "/new" in shown["1h"] and "/old" not in shown["1h"] and "over 1h" in shown["1h"]
    assert "/new" in shown["7d"] and "/old" in shown["7d"]


def test_an_endpoint_says_how_many_names_it_does_not_show(tmp_path: Path) -> None:
    rule = NameRule(alone_after_ns=SECOND)
    with CatalogWriter(tmp_path / "catalog", names=rule) as writer:
        for number in range(3):
            settings = LearnSettings(Detectors(), names=rule, known_names=writer.known_names)
            state = State()
            at_ns = NOW + number * SECOND
            names = f"zorbal={number}&x{'abc'[number]}q=1"
            asked = trace(f"/things/{number}", end_ns=at_ns)
            learn(
                state,
                msgspec.structs.replace(asked, query=names, client="10.0.0.1", start_ns=at_ns),
                settings,
            )
            writer.commit(state, Position(1, number + 1))
    page = Site(tmp_path, None).get("/endpoints/1")

    assert "3 names in its messages are not shown" in page
    assert "zorbal" in page and "one caller</span>" in page and "xbq" not in page


@pytest.mark.parametrize("path", ["/", "/endpoints/1", "/changes"])
def test_the_zone_of_times_is_named_and_is_that_of_every_tooltip(tmp_path: Path, path: str) -> None:
    text = Site(tmp_path, [trace()]).get(path)
    titles = re.findall(r'<time title="([^"]*)"', text)

    assert "Times are in UTC" in text
    assert titles and all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", title) for title in titles)
    if path != "/changes":
        assert text.count("Times in UTC") == 2
        assert all("UTC: " in each for each in re.findall(r"<g><title>([^<]*)", text))


def test_more_sensors_than_a_page_are_all_counted_and_found(tmp_path: Path) -> None:
    seed(tmp_path / "catalog", endpoints=10, days=1, events=1, sensors=250, now_ns=NOW)
    site = Site(tmp_path, None)
    pages = [site.get(f"/sensors?offset={offset}") for offset in (0, 100, 200)]

    assert "<span>Sensors</span><b>250</b>" in site.get("/")
    assert [page.count('<article class="card sensor">') for page in pages] == [100, 100, 50]
    assert "1–100 of 250 sensors" in pages[0] and "201–250 of 250 sensors" in pages[2]  # noqa: RUF001
    assert "201–400 of 2,500 endpoints" in site.get("/encrypted?offset=200")  # noqa: RUF001
    assert "and 50 more sensors" not in site.get("/encrypted")


def test_a_sensor_with_a_wrong_clock_and_too_many_series_says_both(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace()])
    report = SensorReport(
        NOW, NOW, run=Run("r", NOW, (1, NOW)), reported=(1, NOW), cut=7, skews=((1, NOW, -86_400 * SECOND),)
    )
    with CatalogWriter(site.reader.path) as writer:
        writer.commit(learn_sensor(State(), "acme", "s", report), Position(1, 9))
    page = site.get("/sensors")

    assert "clock 1 d behind" in page and "Series left out</dt><dd>7" in page


def test_exchanges_whose_path_is_unknown_are_shown(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace(), trace("", weight=7)])

    assert "7 exchanges with their path unknown" in site.get("/")
    assert [row.path for row in site.reader.endpoints(EndpointFilter())[1]] == ["/users/{userId}"]


def test_times_beyond_now_are_now(tmp_path: Path) -> None:
    site = Site(tmp_path, [trace(end_ns=4_102_444_800 * SECOND)])
    (row,) = site.reader.endpoints(EndpointFilter())[1]

    assert row.last_seen_ns <= time.time_ns() and row.first_seen_ns <= time.time_ns()
    assert site.reader.summary().last_seen_ns <= time.time_ns()
    assert site.reader.applications()[1][0].last_seen_ns <= time.time_ns()


def test_what_is_not_used_for_long_is_archived_and_can_be_found(tmp_path: Path) -> None:
    day = 86_400 * SECOND
    site = Site(tmp_path, [trace("/here"), trace("/gone", host="b", end_ns=NOW - 91 * day)])

    assert "/gone" not in site.get("/catalog") and "Archived 1" in site.get("/catalog")
    assert "/gone" in site.get("/catalog?unseen=archived") and "/here" not in site.get("/catalog?unseen=90d")
    assert "/gone" in site.get("/catalog?unseen=7d") and "/gone" not in site.get("/catalog?unseen=400d")
    site.get("/catalog?unseen=8d", 400)
