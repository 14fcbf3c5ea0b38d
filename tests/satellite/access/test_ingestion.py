"""Whose traces come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.satellite.access.auth import INGEST, Authenticator
from levo.satellite.access.ingestion import IngestionTokens
from levo.satellite.receive.ingest import Refusal, RefusalReason
from tests.satellite.access.authenticators import Clock, authenticator


@pytest.fixture
def kept(tmp_path: Path) -> Authenticator:
    return authenticator(tmp_path)


def refusal(tokens: IngestionTokens, authorization: str, organization: str) -> RefusalReason:
    with pytest.raises(Refusal) as caught:
        tokens.admit(authorization, organization)
    return caught.value.reason


def test_without_tokens_everybody_is_who_they_say_unless_one_is_required(kept: Authenticator) -> None:
    assert IngestionTokens(kept, required=False).admit("", "acme") == "acme"
    assert refusal(IngestionTokens(kept, required=True), "", "acme") is RefusalReason.UNAUTHENTICATED


def test_a_token_speaks_for_its_organization_only(kept: Authenticator) -> None:
    bearer = "Bearer " + kept.add_token("t", INGEST, "acme", "anna")
    tokens = IngestionTokens(kept, required=False)

    assert tokens.admit(bearer, "acme") == tokens.admit(bearer, "") == "acme"
    assert refusal(tokens, bearer, "other") is RefusalReason.FORBIDDEN
    assert refusal(tokens, "", "acme") is RefusalReason.UNAUTHENTICATED
    assert refusal(tokens, "Basic YTpi", "acme") is RefusalReason.UNAUTHENTICATED
    assert refusal(tokens, "Bearer levo_guess", "acme") is RefusalReason.UNAUTHENTICATED


def test_a_token_for_the_pages_brings_no_traces(kept: Authenticator) -> None:
    bearer = "Bearer " + kept.add_token("t", "admin", "", "anna")

    assert refusal(IngestionTokens(kept, required=False), bearer, "acme") is RefusalReason.UNAUTHENTICATED


def test_a_revoked_token_stops_within_seconds(kept: Authenticator) -> None:
    clock = Clock()
    bearer = "Bearer " + kept.add_token("t", INGEST, "acme", "anna")
    tokens = IngestionTokens(kept, required=True, clock_s=clock.s)
    assert tokens.admit(bearer, "") == "acme"
    kept.tokens.revoke(kept.tokens.all()[0].id, 1)
    clock.now_s += 3.0

    assert refusal(tokens, bearer, "") is RefusalReason.UNAUTHENTICATED


def test_guessed_tokens_do_not_fill_the_memory(kept: Authenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levo.satellite.access.ingestion._MAX_BELIEVED", 4)
    tokens = IngestionTokens(kept, required=True)
    for number in range(20):
        refusal(tokens, f"Bearer guess{number}", "")

    assert len(tokens._believed) <= 4
