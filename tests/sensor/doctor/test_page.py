"""The page: everything that was found out, and one next step."""

from __future__ import annotations

from levo.sensor.doctor.diagnosis import diagnose
from levo.sensor.doctor.page import render
from levo.sensor.doctor.reach import Reached
from tests.sensor.doctor.evidence import HTTP, config, sight, watched


def test_a_page_when_all_is_well() -> None:
    seen = watched(sight(HTTP), interfaces=(("lo", 10),))

    page = render(config(), ["lo: up"], "CAP_NET_RAW is there", seen, Reached("http://sat:9999"), [])

    count = len(HTTP)
    assert page.splitlines() == [
        "Interfaces",
        "  lo: up",
        "Privileges",
        "  CAP_NET_RAW is there",
        f"Traffic ({count} TCP packets in 10 s)",
        "  lo: 10 packets",
        "  TCP port 8080: 100 % of the packets, HTTP/1.1, 2 exchanges",
        "Filters",
        "  nothing was left out",
        "  2 exchanges would become traces",
        "Satellite",
        "  http://sat:9999: answers and takes traces",
        "Findings",
        "  nothing is wrong",
        "Next",
        "  start levo apidump with these settings",
    ]


def test_the_first_problem_decides_what_to_do_next() -> None:
    settings = config(filter="port 1")
    seen, reached = watched(sight(), sight(HTTP)), Reached("http://sat", "http://sat: refused")
    findings = diagnose(settings, seen, reached)

    page = render(settings, [], "", seen, reached, findings)

    assert f"--filter removed {len(HTTP)} of {len(HTTP)} packets" in page
    assert page.count("http://sat: refused") == 2
    assert page.splitlines()[-1].strip() == findings[0].fix
