"""Decides, per field, whether it holds sensitive data: a pure function of counts and names.

Values have been counted by the detectors (``Node.finds``); here they meet the name of the field. The rate
of hits has a Beta posterior whose prior the name chooses, so one value in a field called ``iban`` counts
for more than one in a field called ``reference``, and a hundred count for more than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from levo.satellite.learn.schema.node import Node
from levo.satellite.learn.sensitive.detectors import CONTAINED
from levo.satellite.learn.sensitive.kinds import KINDS, Category, Kind, Proof
from levo.satellite.learn.sensitive.names import named_kinds, normalized, says_technical
from levo.satellite.learn.sensitive.rules import Rule

TAGGED_FROM = 0.7
"""Confidence from which a field is tagged."""
_PRIORS = {True: (3.0, 0.5), False: (1.0, 1.0)}
_DIGIT_KINDS = ("payment-card", "imei", "bank-routing", "phone", "national-id.", "br.cnpj")
_ONE_OF_EACH = frozenset({"email", "ip-address", "person-name", "postal-address"})


@dataclass(frozen=True, slots=True)
class Detection:
    """One kind of sensitive data in one field."""

    kind: str
    category: Category
    confidence: float
    """0 to 1: how sure it is that most values of the field are of this kind."""
    hits: int
    scanned: int
    by_name: bool
    """The field's name says so too."""
    contained: bool = False
    """Found inside longer texts rather than as the whole value."""


def decide(name: str, parent: str, node: Node, rules: Sequence[Rule] = ()) -> Detection | None:
    """Return what the field called *name* inside *parent* holds, or None."""
    scanned = node.scanned
    if not scanned:
        return None
    named = named_kinds(name, parent)
    candidates: list[tuple[bool, float, int, Detection]] = []
    by_rule = {rule.kind.name: rule for rule in rules}
    for key, hits in node.finds.items():
        detection = _by_values(key, hits, scanned, name, named, by_rule)
        if detection is not None:
            rank = KINDS[detection.kind].rank if detection.kind in KINDS else 0
            candidates.append((not detection.contained, round(detection.confidence, 2), -rank, detection))
    if candidates:
        best = max(candidates, key=lambda c: (c[0], c[3].by_name, c[1], c[2], c[3].kind))[3]
        if not best.contained:
            return best
    found = _by_name(name, named, node, rules)
    if found is not None:
        return found
    return best if candidates else None


def _by_values(
    key: str, hits: int, scanned: int, name: str, named: frozenset[str], rules: dict[str, Rule]
) -> Detection | None:
    contained = key.endswith(CONTAINED)
    doubtful = key.endswith("?")
    kind_name = key.rstrip("~?")
    rule = rules.get(kind_name)
    kind = rule.kind if rule is not None else KINDS.get(kind_name)
    if kind is None:
        return None
    if rule is not None and not rule.wants_name(name):
        return None
    said = kind_name in named or (kind_name.startswith("national-id.") and "national-id" in named)
    if rule is not None:
        said = bool(rule.field)
    proof = Proof.SHAPE if doubtful else kind.proof
    digits = kind_name.startswith(_DIGIT_KINDS)
    if digits and not said and (says_technical(name) or (named and proof is not Proof.STRUCTURE)):
        return None
    if proof is Proof.SHAPE and not said:
        return None
    if contained:
        if hits < 3 and not (kind.category is Category.CREDENTIALS and hits):
            return None
        confidence = min(0.95, 0.7 + 0.25 * min(1.0, hits / 20))
    else:
        before, against = _PRIORS[said]
        confidence = above_half(before + hits, against + max(0, scanned - hits))
        if proof is Proof.CHECKSUM and not said:
            # Chance alone passes a check of one digit in ten tries; a field must do so time after time.
            rate = hits / scanned
            confidence = confidence if hits >= 6 and rate >= 0.8 else min(confidence, 0.5)
        elif kind.category is Category.CREDENTIALS and hits:
            confidence = max(confidence, 0.8)
        elif proof is Proof.STRUCTURE and hits >= 3:
            confidence = max(confidence, 0.75 if hits / scanned >= 0.1 else confidence)
        if said and hits * (10 if kind_name == "phone" else 5) >= scanned:
            # Chance writes no country before a number; where others leave it out, nothing can be checked.
            confidence = max(confidence, 0.8)
    if confidence < TAGGED_FROM:
        return None
    return Detection(kind_name, kind.category, confidence, hits, scanned, said, contained)


_TEXTUAL = frozenset(
    [
        "person-name",
        "postal-address",
        "city",
        "user-name",
        "gender",
        "nationality",
        "religion",
        "ethnicity",
        "marital-status",
        "password",
        "secret",
        "diagnosis",
        "medication",
        "blood-type",
        "allergy",
        "passport-number",
        "driving-license",
    ]
)
_NUMERIC_ONLY = frozenset({"location", "salary"})
_TOO_WIDE = frozenset({"secret"})


def _by_name(name: str, named: frozenset[str], node: Node, rules: Sequence[Rule]) -> Detection | None:
    """What only the name can say, if the values do not contradict it."""
    for rule in rules:
        if not rule.pattern and rule.wants_name(name):
            return _named(rule.kind, node, 0.8)
    for kind_name in sorted(named):
        kind = KINDS.get(kind_name)
        if kind is None or not _fits(kind_name, node):
            continue
        if kind_name.startswith("national-id.") and node.strings and 8 <= node.longest <= 24:
            # No value passes its check (test data, masked digits), but the name of the number is plain.
            return _named(kind, node, 0.75)
        if kind.proof is not Proof.NAME:
            continue
        weak = normalized(name) in (
            "address",
            "token",
            "via",
            "cap",
            "race",
            "card",
            "uid",
            "sex",
            "social",
            "login",
            "drug",
        )
        return _named(kind, node, 0.72 if weak else 0.85)
    return None


def _named(kind: Kind, node: Node, confidence: float) -> Detection:
    return Detection(kind.name, kind.category, confidence, 0, node.scanned, True)


def _fits(kind: str, node: Node) -> bool:  # noqa: PLR0911 (one return for each kind of data)
    if kind == "location":
        return node.numbers > 0
    if kind == "salary":
        return node.integers + node.numbers > 0
    if kind == "date-of-birth":
        return node.strings > 0 and node.shortest >= 6 and node.longest <= 32
    if kind in ("password", "secret"):
        if kind == "secret" and (node.longest < 8 or node.format in ("uri", "date-time", "date", "email")):
            return False
        return node.strings > 0 and not node.numbers
    if kind in ("card-security-code", "one-time-code"):
        return node.longest <= 12
    if kind in ("person-name", "city", "postal-address"):
        return (
            node.strings > 0 and node.longest > 1 and node.format not in _FORMATS and not _is_technical(node)
        )
    if kind == "user-name":
        return node.strings > 0 and node.format not in ("uuid", "date-time", "date", "uri", "hex")
    if kind in _TEXTUAL:
        return node.strings > 0 and node.format not in ("uuid", "date-time", "date", "uri")
    if kind == "postal-code":
        return node.longest <= 12 and node.format not in ("date", "uuid")
    return True


_FORMATS = frozenset(
    {"uuid", "date", "date-time", "uri", "email", "digits", "decimal", "hex", "ipv4", "ipv6", "jwt"}
)


def _is_technical(node: Node) -> bool:
    """Whether all values are public words, as names of people and places are not."""
    return bool(node.labels) and not node.open


def above_half(a: float, b: float) -> float:
    """Return P(rate > 1/2) for a rate of distribution Beta(*a*, *b*), to two digits."""
    total = a + b
    if total > 60:
        mean, variance = a / total, a * b / (total * total * (total + 1))
        return 0.5 * math.erfc((0.5 - mean) / math.sqrt(2 * variance))
    steps = 64
    width = 0.5 / steps
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(total)
    below = sum(
        math.exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta) * width
        for x in ((i + 0.5) * width for i in range(steps))
    )
    return min(1.0, max(0.0, 1.0 - below))
