# ruff: noqa: E501 (tables of patterns read better unbroken)
"""Validators: arithmetic that a made-up number fails."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812-1 annex B)."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        digit = ord(character) - 48
        total += _DOUBLED[digit] if position & 1 else digit
    return total % 10 == 0


def payment_card(digits: str) -> bool:
    """Whether *digits* lie in an issuer's range, have its length and pass Luhn."""
    return _issuer_takes(digits) and luhn(digits) and len(set(digits)) > 1


def _issuer_takes(digits: str) -> bool:
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return size == 14
    if four == 6011 or two == 65 or 6440 <= four <= 6599 or two == 62 or 3528 <= four <= 3589:
        return size in (16, 19)
    return (four in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)) and size in (12, 13, 16, 18, 19)


_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def iban(text: str) -> bool:
    """Whether *text* (spaces allowed) is an IBAN: its country's length, and 1 modulo 97 (ISO 13616)."""
    compact = text.replace(" ", "").upper()
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact) or not compact.isalnum() or not compact.isascii():
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def aba_routing(digits: str) -> bool:
    """Whether nine digits pass the check of a US bank routing number."""
    if len(digits) != 9 or not (1 <= int(digits[:2]) <= 12 or 21 <= int(digits[:2]) <= 32):
        return False
    return sum(int(d) * w for d, w in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0


@cache
def _module(name: str) -> Callable[[str], bool] | None:
    try:
        found: Callable[[str], bool] = importlib.import_module(f"stdnum.{name}").is_valid
    except ImportError:
        return None
    return found


def au_medicare(digits: str) -> bool:
    """Whether *digits* are an Australian Medicare number, with or without the number of the person on the card.

    The ninth digit is the check digit of the eight before it, weighted 1, 3, 7, 9 and again, modulo 10; the tenth
    is the issue, the eleventh the person.
    """
    if len(digits) not in (10, 11) or not digits.isdigit() or digits[0] not in "23456":
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9), strict=False))
    return total % 10 == int(digits[8]) and digits[-1] != "0"


def lv_pk(digits: str) -> bool:
    """Whether *digits* are a Latvian personal code: what begins with 4 to 9 is the number of a company."""
    check = _module("lv.pvn")
    return digits[:1] < "4" and check is not None and check(digits)


_NAMES = {"in.aadhaar": "in_.aadhaar", "in.pan": "in_.pan", "rs.jmbg": "si.emso"}
"""Where python-stdnum has another name; the numbers of Yugoslavia are the same in all its successors."""
_OWN: dict[str, Callable[[str], bool]] = {"au.medicare": au_medicare, "lv.pk": lv_pk}


def validator(kind: str) -> Callable[[str], bool] | None:
    """Return what tells numbers of *kind*, as ``br.cpf``, from others; None if nothing knows the kind."""
    return _OWN.get(kind) or _module(_NAMES.get(kind, kind))


def national(kind: str, text: str) -> bool:
    """Whether *text* is a number of *kind*, as ``br.cpf``. False if nothing knows the kind."""
    check = validator(kind)
    if check is None:
        return False
    try:
        return bool(check(text))
    except Exception:
        # A validator of a library on hostile text: whatever it raises, the text is no such number.
        return False
