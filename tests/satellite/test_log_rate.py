from __future__ import annotations

import logging

import pytest

from levo.satellite.log_rate import PERIOD_S, RateLimited


def test_a_flood_from_one_place_is_a_few_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = logging.getLogger("tests.flood")
    log.addFilter(limit := RateLimited(3, lambda: now[0]))
    try:
        for moment in [0.0] * 100 + [PERIOD_S]:
            now[0] = moment
            log.error("refused %d", 7)
        log.error("another place")
    finally:
        log.removeFilter(limit)

    assert caplog.messages == ["refused 7"] * 3 + ["refused 7 (97 more left out)", "another place"]
