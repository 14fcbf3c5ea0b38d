from __future__ import annotations

from dataclasses import replace

import msgspec

from levo.satellite.posture import RULES, Proof, Severity
from levo.satellite.posture.model import MAX_ALSO_AT
from levo.satellite.posture.seen import Seen, finding_of
from tests.satellite.posture.made import access, endpoint


def test_what_is_of_a_host_has_no_method_and_lists_a_bounded_number_of_endpoints() -> None:
    endpoints = tuple(endpoint(f"GET /a{n:03}", access([2]), id=n) for n in range(80))
    finding = finding_of(RULES[0], Seen(endpoints, Severity.LOW, Proof.PROVEN, "seen", of_host=True))

    assert (finding.place.host, finding.place.method, finding.place.path) == ("shop.example", "", "")
    assert finding.place.endpoint == 0
    assert [place.endpoint for place in finding.also_at] == list(range(MAX_ALSO_AT))
    assert finding.exchanges == 160 and not finding.sampled


def test_what_is_of_an_endpoint_names_the_others() -> None:
    one, other = endpoint("GET /a", access([2])), endpoint("GET /b", access([3]))
    finding = finding_of(RULES[0], Seen((one, other), Severity.LOW, Proof.PROVEN, "seen"))

    assert finding.place == one.place and finding.also_at == (other.place,)


def test_times_are_those_of_what_showed_it() -> None:
    one = replace(endpoint("GET /a", access([2])), first_seen_ns=5, last_seen_ns=90 * 10**9)

    assert finding_of(RULES[0], Seen((one,), Severity.LOW, Proof.PROVEN, "")).last_seen_ns == 90 * 10**9
    found = finding_of(RULES[0], Seen((one,), Severity.LOW, Proof.PROVEN, "", last_s=60))
    assert (found.first_seen_ns, found.last_seen_ns) == (5, 61 * 10**9 - 1)


def test_severity_is_a_step_less_where_nobody_on_the_internet_calls() -> None:
    def severity(*networks: tuple[float, float], everywhere: bool = False) -> Severity:
        made = tuple(
            endpoint("GET /a", msgspec.structs.replace(access([9]), public=public, private=private))
            for public, private in networks
        )
        seen = Seen(made, Severity.HIGH, Proof.PROVEN, "seen", everywhere=everywhere)
        return finding_of(RULES[0], seen).severity

    assert severity((0, 9)) is Severity.MEDIUM
    assert severity((1, 9)) is severity((0, 0)) is severity((0, 9), (1, 9)) is Severity.HIGH
    assert severity((0, 9), everywhere=True) is Severity.HIGH


def test_weights_make_counts_estimates() -> None:
    one = replace(endpoint("GET /a", access([50])), traces=1)

    assert finding_of(RULES[0], Seen((one,), Severity.LOW, Proof.PROVEN, "")).sampled
