"""Checksums against python-stdnum, which shares no code with ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban as oracle_iban
from stdnum import luhn as oracle_luhn

from levo.satellite.learn.sensitive.checksums import aba_routing, iban, luhn, national, payment_card


@given(st.from_regex(r"[0-9]{1,30}", fullmatch=True))
def test_luhn_agrees_with_stdnum(digits: str) -> None:
    assert luhn(digits) == oracle_luhn.is_valid(digits)


@given(
    st.sampled_from(["DE89370400440532013000", "GB82WEST12345698765432"]),
    st.integers(0, 21),
    st.integers(0, 9),
)
def test_iban_is_never_laxer_than_stdnum_on_changed_digits(text: str, place: int, digit: int) -> None:
    changed = text[:place] + str(digit) + text[place + 1 :]

    assert iban(text)
    assert iban(changed) in (False, oracle_iban.is_valid(changed, check_country=False))


def test_cards_need_an_issuer() -> None:
    assert payment_card("4111111111111111") and payment_card("378282246310005")
    assert not payment_card("9111111111111114") and not payment_card("4111111111111112")


def test_routing_and_unknown_kinds() -> None:
    assert aba_routing("021000021") and not aba_routing("021000022")
    assert national("in.aadhaar", "234123412346") and not national("no.such", "1")
