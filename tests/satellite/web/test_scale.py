"""A large catalog is shown whole. How long pages take is measured by ``bench.satellite.pages``."""

from __future__ import annotations

from pathlib import Path

from bench.satellite.pages import FILTERS, PAGES
from bench.satellite.seed import seed

from tests.satellite.store.catalogs import NOW
from tests.satellite.web.test_pages import Site

ENDPOINTS = 1000


def test_every_page_over_many_endpoints(tmp_path: Path) -> None:
    seed(tmp_path / "catalog", endpoints=ENDPOINTS, days=90, events=3000, now_ns=NOW)
    site = Site(tmp_path, None)
    for path in (*PAGES, *FILTERS):
        if path != "/settings":
            assert len(site.get(path)) < 200_000, path

    assert "1,000" in site.get("/catalog")
    assert "of 50 " in site.get("/catalog?application=app%203")
    assert "15 of 50 operations" in site.get("/reference?application=app%207")
    assert "3,000" in site.get("/changes")
    assert site.get("/sensitive").count('class="badge sensitive"') >= 100
    assert "field96" in site.get("/changes")
