"""Finds sensitive values: checks, each of which is exact, and which of them are worth asking.

A check takes one scalar as text and returns the kinds it is (``email``), or contains (``email~``). Which of
the built-in ones can find something in a scalar, ``prefilter.pyx`` says in one pass over it; the rules of the
user are asked about the scalars of a body in which their pattern occurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import re2  # type: ignore[import-untyped,unused-ignore]

from levo.satellite.learn.sensitive.checksums import aba_routing, iban, luhn, national, payment_card
from levo.satellite.learn.sensitive.prefilter import Prefilter
from levo.satellite.learn.sensitive.rules import Rule

Check = Callable[[str], Sequence[str]]
CONTAINED = "~"
"""Ends the name of a kind that was found inside a longer text."""
_LONGEST = 20_000
NOTHING: Sequence[str] = ()

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+@/:-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,24}(?![A-Za-z0-9:@/-]|\.[A-Za-z0-9])"
)
_NO_MAIL_DOMAIN = re.compile(
    r"\.(?:png|jpe?g|gif|svg|css|js|json|html?|local|internal|invalid)$", re.IGNORECASE
)


def check_email(value: str) -> Sequence[str]:
    """E-mail addresses (the dot-atom form of RFC 5321)."""
    if "@" not in value or len(value) > _LONGEST:
        return NOTHING
    found = _EMAIL.search(value)
    if found is None or _NO_MAIL_DOMAIN.search(found[0]) or ".." in found[0]:
        return NOTHING
    return ("email",) if found.end() - found.start() == len(value) else ("email~",)


_DIGIT_TEXT = re.compile(r"\+?\(?\d[\d ().\-/]{5,30}[\dXx]", re.ASCII)
_SEPARATORS = re.compile(r"[^\dXx]")
_CARD_TEXT = re.compile(
    r"\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{5}", re.ASCII
)
_CARD_INSIDE = re.compile(
    r"(?<![\w.-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?![\w-])"
)
_SSN_TEXT = re.compile(r"(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}", re.ASCII)
_DATE_TEXT = re.compile(
    r"(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d.*", re.ASCII
)
_SHORT_IL = re.compile(r"\d{7}-\d", re.ASCII)
KINDS_BY_DIGITS: dict[int, tuple[str, ...]] = {
    9: ("ca.sin", "nl.bsn", "au.tfn", "pt.nif", "il.idnr"),
    10: ("gb.nhs", "bg.egn", "se.personnummer", "cz.rc", "au.medicare"),
    11: ("br.cpf", "de.idnr", "pl.pesel", "tr.tckimlik", "no.fodselsnummer", "hr.oib", "be.nn", "ee.ik",
         "gr.amka", "lt.asmens", "lv.pk", "au.medicare"),
    12: ("in.aadhaar", "se.personnummer"),
    13: ("za.idnr", "kr.rrn", "ro.cnp", "rs.jmbg", "th.pin", "ch.ssn"),
    15: ("fr.nir",),
    18: ("cn.ric",),
}  # fmt: skip


def check_digits(value: str) -> Sequence[str]:  # noqa: C901, PLR0912 (one branch for each length of a number)
    """Numbers: payment cards, phones, national and tax identifiers, IMEI, routing numbers."""
    size = len(value)
    if size < 8:
        return NOTHING
    if size > 40 or _DIGIT_TEXT.fullmatch(value) is None:
        if size > _LONGEST:
            return NOTHING
        inside = _CARD_INSIDE.search(value)
        if inside is not None and payment_card(_SEPARATORS.sub("", inside[0])):
            return ("payment-card~",)
        return NOTHING
    digits = value if value.isdigit() else _SEPARATORS.sub("", value)
    if len(set(digits)) < 2 or (value.count(".") == 3 and size <= 15) or _DATE_TEXT.fullmatch(value):
        return NOTHING
    plus = value[0] == "+"
    found: list[str] = []
    count = len(digits)
    if not plus and digits.isdigit():
        if 12 <= count <= 19 and _CARD_TEXT.fullmatch(value) and payment_card(digits):
            found.append("payment-card")
        if count == 15 and digits.isdigit() and luhn(digits):
            found.append("imei")
        if count == 9:
            if _SSN_TEXT.fullmatch(value):
                found.append("national-id.us.ssn")
            elif size == 9:
                if aba_routing(digits):
                    found.append("bank-routing")
                if digits[0] != "9" and digits[:3] not in ("000", "666"):
                    found.append("national-id.us.ssn?")
        if count == 8 and _SHORT_IL.fullmatch(value) and national("il.idnr", digits):
            found.append("national-id.il.idnr")
        if count == 14 and national("br.cnpj", digits):
            found.append("br.cnpj")
        if count == 10 and national("dk.cpr", digits):
            found.append("national-id.dk.cpr")
    if not plus:
        found.extend(
            f"national-id.{name}" for name in KINDS_BY_DIGITS.get(count, ()) if national(name, digits)
        )
    if is_phone(value, digits, plus):
        found.append("phone")
    return found


_PHONE_TEXT = re.compile(r"\+?(?:\(?\d{1,5}\)?[ .\-/]?){2,7}\d{0,4}", re.ASCII)


def is_phone(value: str, digits: str, plus: bool) -> bool:
    """Whether *value* is written as a telephone number: international and valid, or with separators."""
    if not 8 <= len(digits) <= 15:
        return False
    if plus:
        import phonenumbers

        try:
            return bool(phonenumbers.is_possible_number(phonenumbers.parse(value, None)))
        except phonenumbers.NumberParseException:
            return False
    if value.isdigit():
        return digits[0] == "0" and 9 <= len(digits) <= 12
    separated = sum(not c.isdigit() for c in value)
    return (
        separated >= 1
        and (digits[0] == "0" or value[0] == "(" or len(digits) in (10, 11))
        and _SSN_TEXT.fullmatch(value) is None
        and value.count(".") != 1
        and _PHONE_TEXT.fullmatch(value) is not None
    )


_IBAN_TEXT = re.compile(r"\b[A-Z]{2}\d{2} ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}\b", re.ASCII)


def check_iban(value: str) -> Sequence[str]:
    """International bank account numbers."""
    if len(value) > _LONGEST:
        return NOTHING
    found = _IBAN_TEXT.search(value)
    if found is None or not iban(found[0]):
        return NOTHING
    return ("iban",) if len(found[0]) == len(value) else ("iban~",)


ALPHANUMERIC_KINDS: tuple[tuple[str, re.Pattern[str], bool], ...] = tuple(
    (kind, re.compile(pattern), checked)
    for kind, pattern, checked in (
        ("es.dni", r"\d{8}-?[A-Z]", True),
        ("es.nie", r"[XYZ]-?\d{7}-?[A-Z]", True),
        ("it.codicefiscale", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", True),
        ("fi.hetu", r"\d{6}[-+ABCDEFUVWXY]\d{3}[0-9A-Z]", True),
        ("ie.pps", r"\d{7}[A-W][A-IWTX]?", True),
        ("mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", True),
        ("in.pan", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", True),
        ("cl.rut", r"\d{1,2}\.?\d{3}\.?\d{3}-[\dkK]", True),
        ("cn.ric", r"\d{17}X", True),
        ("pt.cc", r"\d{8} ?\d ?[A-Z0-9]{2}\d", True),
        (
            "gb.nino",
            r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
            False,
        ),
        ("sg.nric", r"[STFG]\d{7}[A-Z]", False),
        ("se.personnummer", r"\d{6}[-+]\d{4}", True),
        ("cz.rc", r"\d{6}/\d{4}", True),
        ("fr.nir", r"[12]\d{2}(?:0[1-9]|1[0-2]|[2-9]\d)(?:\d{2}|2[AB])\d{8}", True),
    )
)
_LOWER = ("es.dni", "es.nie", "it.codicefiscale")
"""Kinds that are often written in lower case."""
_IN_COUNTRY: dict[str, tuple[str, ...]] = {
    country: tuple(
        sorted(
            kind
            for kind in {*sum(KINDS_BY_DIGITS.values(), ()), "cl.rut"}
            if kind.startswith(country.lower())
        )
    )
    for country in ("BE", "BG", "CL", "EE", "HR", "LT", "PT", "RO")
}
"""Kinds that are also written with the country before the number, as its tax offices do."""
_WITH_COUNTRY = re.compile(r"([A-Z]{2}) ?(\d[\d .-]{6,14}[\dK])", re.ASCII)
_ANY_ALNUM = re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern, _ in ALPHANUMERIC_KINDS))
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_VIN_VALUES = {
    c: v
    for c, v in zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ",
        (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
        strict=True,
    )
}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_BIC = re.compile(r"[A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?")


def check_identifiers(value: str) -> Sequence[str]:
    """Identifiers with letters: national ones, vehicle numbers, bank codes."""
    size = len(value)
    if not 8 <= size <= 20:
        return NOTHING
    found = []
    if value.islower():
        upper = value.upper()
        found = [
            f"national-id.{kind}"
            for kind, pattern, _ in ALPHANUMERIC_KINDS
            if kind in _LOWER and pattern.fullmatch(upper) and national(kind, upper)
        ]
    prefixed = _WITH_COUNTRY.fullmatch(value)
    if prefixed is not None:
        kinds = _IN_COUNTRY.get(prefixed[1], ())
        return [f"national-id.{kind}" for kind in kinds if national(kind, prefixed[2])]
    if _ANY_ALNUM.fullmatch(value):
        found = [
            f"national-id.{kind}"
            for kind, pattern, checked in ALPHANUMERIC_KINDS
            if pattern.fullmatch(value) and (not checked or national(kind, value))
        ]
    if size == 17 and _VIN.fullmatch(value) and _is_vin(value):
        found.append("vehicle-number")
    if size in (8, 11) and _BIC.fullmatch(value) and not value.isdigit():
        found.append("bic")
    return found


def _is_vin(value: str) -> bool:
    if value.isdigit() or value.isalpha():
        return False
    total = sum(
        (int(c) if c.isdigit() else _VIN_VALUES[c]) * w for c, w in zip(value, _VIN_WEIGHTS, strict=True)
    )
    return "0123456789X"[total % 11] == value[8]


_SECRETS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"),
        ("private-key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
        ("aws-access-key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
        ("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b"),
        ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("stripe-key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("google-api-key", r"\bAIza[A-Za-z0-9_-]{35}"),
        ("openai-key", r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,}"),
        ("sendgrid-key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
        ("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("pypi-token", r"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
        ("azure-key", r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}"),
        ("url-password", r"\b[a-z][a-z0-9+.-]{1,15}://[^\s/:@?#]{1,64}:[^\s/:@?#]{1,128}@[A-Za-z0-9\[]"),
        ("crypto-address", r"\b0x[0-9a-fA-F]{40}\b"),
    )
)


def check_secrets(value: str) -> Sequence[str]:
    """Keys and tokens that say what they are."""
    if not 16 <= len(value) <= _LONGEST:
        return NOTHING
    found = []
    for kind, pattern in _SECRETS:
        hit = pattern.search(value)
        if hit is not None:
            whole = hit.end() - hit.start() == len(value) or kind in (
                "private-key",
                "azure-key",
                "url-password",
            )
            found.append(kind if whole else kind + CONTAINED)
    return found


_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", re.ASCII)
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{6,45}")


def check_network(value: str) -> Sequence[str]:
    """IP and MAC addresses."""
    size = len(value)
    if not 7 <= size <= 45:
        return NOTHING
    if size <= 15 and value[0].isdigit() and _IPV4.fullmatch(value):
        return ("ip-address",)
    if size == 17 and _MAC.fullmatch(value):
        return ("mac-address",)
    if value.count(":") >= 2 and _IPV6.fullmatch(value) and ("::" in value or value.count(":") == 7):
        import ipaddress

        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            return NOTHING
        return ("ip-address",)
    return NOTHING


_BASE58 = re.compile(r"[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}")


def check_coins(value: str) -> Sequence[str]:
    """Addresses of crypto-currencies with a checksum."""
    if not 26 <= len(value) <= 74 or _BASE58.fullmatch(value) is None:
        return NOTHING
    return ("crypto-address",) if national("bitcoin", value) else NOTHING


_CHECKS: tuple[Check, ...] = (
    check_email,
    check_digits,
    check_iban,
    check_identifiers,
    check_secrets,
    check_network,
    check_coins,
)


class Detectors:
    """The built-in detectors and the rules of the user, ready to scan. Immutable."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)
        self._built_in = (Prefilter(*_CHECKS).check,)
        with_pattern = [rule for rule in self.rules if rule.pattern]
        self._rule_checks: list[Check] = [rule.check for rule in with_pattern]
        options = re2.Options()
        options.log_errors = False
        options.encoding = re2.Options.Encoding.UTF8
        self._set = re2.Set.SearchSet(options)
        for rule in with_pattern:
            self._set.Add(rule.pattern)
        self._set.Compile()

    def checks_for(self, octets: bytes | str) -> tuple[Check, ...]:
        """Return the checks that can find something in what *octets* say, in time linear in their length.

        The built-in ones are one, which looks at each scalar by itself. Rules are asked where their pattern
        occurs in *octets* as they are.
        """
        if not self._rule_checks:
            return self._built_in
        hits = self._set.Match(octets)
        hits.sort()
        return (*self._built_in, *(self._rule_checks[hit] for hit in hits))

    @property
    def all_checks(self) -> tuple[Check, ...]:
        """Every check by itself, whatever it may cost."""
        return (*_CHECKS, *self._rule_checks)
