"""The pages about findings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.satellite.store.userdata import NewDecision
from levo.satellite.web.posture_pages import look_at_first, open_findings_of
from tests.satellite.store.catalogs import trace
from tests.satellite.store.userdata.test_findings import kept
from tests.satellite.web.test_pages import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, [trace()])
    findings = made.userdata.findings
    document = (
        '{"text": "<b>All</b> 5.", "evidence": [{"name": "successes", "count": 5, "of": null}],'
        ' "sampled": false, "also_at": [], "why_not": ["Public."],'
        ' "remediation": "Ask who calls.", "verify": "A 401."}'
    )
    many = [kept(f"/many/{n}", "AUTH-02", rank=2, document=document, title="Writes") for n in range(120)]
    findings.put(
        [
            *many,
            kept("/worst", rank=4, document=document, title="Leak", endpoint=1),
            kept("/hint", "BOLA-03", rank=0, proof=0, document=document, title="Guess"),
            kept("/fixed", "AUTH-03", state="fixed", document=document, title="Repaired"),
        ],
        1,
    )
    findings.decide(kept("/many/7", "AUTH-02"), NewDecision("accepted", "finding", "by-design"), "anna", 1)
    yield made


def rows(page: str) -> int:
    return len(re.findall(r'<li data-id="', page))


def test_the_tabs_and_their_groups(site: Site) -> None:
    page = site.get("/posture")

    assert "Open 120" in page and "Accepted 1" in page and "Fixed 1" in page and "Hints 1" in page
    assert page.index("Leak") < page.index("Writes") and "Guess" not in page
    assert rows(page) == 1 + 5 and "All 119" in page
    assert "Repaired" in site.get("/posture?tab=fixed") and "Guess" in site.get("/posture?tab=hints")
    assert "/many/7" in site.get("/posture?tab=accepted")


def test_one_rule_has_pages(site: Site) -> None:
    assert rows(site.get("/posture?filter=rule:AUTH-02")) == 100
    assert rows(site.get("/posture?filter=rule:AUTH-02&offset=100")) == 19


def test_a_filter_that_cannot_be_read_is_explained(site: Site) -> None:
    page = site.get("/posture?filter=severety:high")
    assert "column 1" in page and "did you mean severity?" in page and rows(page) == 0


def test_one_finding(site: Site) -> None:
    page = site.get(f"/posture/{kept('/worst').id}")

    assert "&lt;b&gt;All&lt;/b&gt; 5." in page and "critical" in page
    assert 'action="/posture/decide"' in page


def test_what_to_look_at_first(site: Site) -> None:
    total, first = look_at_first(site.userdata.findings, "")

    assert (total, len(first), first[0].title) == (120, 5, "Leak")
    assert "Look at this first" in site.get("/")
    assert open_findings_of(site.userdata.findings, 1, 2)[0].title == "Leak"
