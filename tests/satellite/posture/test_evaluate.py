from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from levo.satellite.learn import Trace
from levo.satellite.posture import RULES, Facts, Finding, PostureSettings, Proof, Severity, evaluate
from levo.satellite.posture.settings import RuleSettings
from tests.satellite.posture import smells, tricky
from tests.satellite.posture.smells import EXPECTED, Smells
from tests.satellite.posture.watched import Watched, brief, facts_of_traces

Row = tuple[str, str, str, str]


def watched_traces(*hardened: str) -> list[Trace]:
    server = Smells(*hardened)
    with Watched(server.routes()) as watched:
        smells.walk(watched, server)
        return watched.traces


@pytest.fixture(scope="module")
def smelling() -> list[Trace]:
    return watched_traces()


@pytest.fixture(scope="module")
def facts(smelling: list[Trace], tmp_path_factory: pytest.TempPathFactory) -> Facts:
    return facts_of_traces(tmp_path_factory.mktemp("smells"), [smelling])


def expected(*without: str) -> list[Row]:
    return sorted(
        (name.split()[0], *row) for name, rows in EXPECTED.items() if name not in without for row in rows
    )


def test_each_planted_weakness_is_found_once_and_nothing_else(facts: Facts) -> None:
    found = evaluate(facts)

    assert brief(found) == expected()
    assert {each.rule for each in found} == {rule.id for rule in RULES}


def test_findings_say_what_was_seen_in_counts_and_what_to_do(facts: Facts) -> None:
    for finding in evaluate(facts):
        assert finding.text and finding.remediation and finding.verify and finding.title
        assert 0 < finding.first_seen_ns <= finding.last_seen_ns
        assert finding.exchanges > 0
        assert all(0 < each.count <= (each.of or each.count) for each in finding.evidence)
        assert finding.proof is not Proof.HINT or finding.severity is Severity.INFO
        assert finding.severity is not Severity.CRITICAL or finding.proof is Proof.PROVEN


def test_a_server_without_a_weakness_has_nothing_above_info(tmp_path: Path) -> None:
    with Watched(tricky.ROUTES) as watched:
        tricky.walk(watched)
        found = watched.findings(tmp_path)

    assert [row for row in brief(found) if row[1] != "info"] == []
    assert "AUTH-00" in {each.rule for each in found}


def test_hardened_twins_have_none_of_it(tmp_path: Path) -> None:
    traces = watched_traces(*EXPECTED)
    found = evaluate(facts_of_traces(tmp_path, [traces]))

    assert brief(found) == []


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_hardened_twin_takes_its_finding_away_and_no_other(name: str, tmp_path: Path) -> None:
    found = evaluate(facts_of_traces(tmp_path, [watched_traces(name)]))

    assert brief(found) == expected(name)


@pytest.mark.parametrize("seed", range(2))
def test_any_order_and_partition_has_the_same_findings(
    seed: int, smelling: list[Trace], facts: Facts, tmp_path: Path
) -> None:
    """Restarts, too: each part has a writer of its own."""
    rng = Random(seed)
    mixed = rng.sample(smelling, len(smelling))
    cuts = [0, *sorted(rng.sample(range(1, len(mixed)), 3)), len(mixed)]
    again = facts_of_traces(tmp_path, [mixed[start:end] for start, end in pairwise(cuts)])

    assert unnumbered(evaluate(again)) == unnumbered(evaluate(facts))


def unnumbered(findings: list[Finding]) -> list[Finding]:
    """Return *findings* without the numbers of endpoints, which are history."""
    return [
        replace(
            each,
            place=replace(each.place, endpoint=0),
            also_at=tuple(replace(place, endpoint=0) for place in each.also_at),
        )
        for each in findings
    ]


def test_a_rule_can_be_switched_off_weighted_and_given_a_least_sample(facts: Facts) -> None:
    def found(settings: RuleSettings) -> list[Row]:
        return [
            row
            for row in brief(evaluate(facts, PostureSettings({"AUTH-03": settings})))
            if row[0] == "AUTH-03"
        ]

    assert found(RuleSettings(least=3)) == [("AUTH-03", "high", "GET /admin/flags", "")]
    assert found(RuleSettings(enabled=False)) == []
    assert found(RuleSettings(severity=Severity.LOW)) == [("AUTH-03", "low", "GET /admin/flags", "")]
    assert found(RuleSettings(least=13)) == []


def test_a_hint_stays_info_whatever_the_settings_say(facts: Facts) -> None:
    settings = PostureSettings({"SSRF-01": RuleSettings(severity=Severity.HIGH)})

    assert [each.severity for each in evaluate(facts, settings) if each.rule == "SSRF-01"] == [Severity.INFO]
