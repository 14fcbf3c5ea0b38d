"""The user's own detectors, from a YAML file.

.. code-block:: yaml

    rules:
      - kind: staff-number           # how the field is tagged
        category: personal           # personal, financial, health, credentials, custom (the default)
        pattern: 'EMP-\\d{6}'         # RE2 syntax, linear time; must match the whole value
        field: '(?i)staff|employee'  # the field's name, if it matters; alone, the name is the evidence
        validator: luhn              # luhn, iban, or a module of python-stdnum such as br.cpf
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2  # type: ignore[import-untyped,unused-ignore]
import yaml

from levo.errors import ConfigError, Problem
from levo.satellite.learn.sensitive.checksums import iban, luhn, national
from levo.satellite.learn.sensitive.kinds import KINDS, Category, Kind, Proof

_KEYS = frozenset(("kind", "category", "pattern", "field", "validator"))
MAX_RULES = 500
RULES_NAME = "detectors.yaml"
"""The file's name in the data directory."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a pattern of values, of field names, or both."""

    kind: Kind
    pattern: str = ""
    field: str = ""
    validator: str = ""

    def check(self, value: str) -> Sequence[str]:
        """Return the kind if the whole of *value* matches and validates."""
        if len(value) > 4096 or not re2.fullmatch(self.pattern, value) or not self._validates(value):
            return ()
        return (self.kind.name,)

    def wants_name(self, name: str) -> bool:
        """Whether a field of this name is meant; every field is when the rule has no ``field``."""
        return not self.field or re2.search(self.field, name) is not None

    def _validates(self, value: str) -> bool:
        if not self.validator:
            return True
        if self.validator == "iban":
            return iban(value)
        if self.validator == "luhn":
            digits = "".join(c for c in value if c.isdigit() and c.isascii())
            return bool(digits) and luhn(digits)
        return national(self.validator, value)


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules in the file at *path*.

    Raises:
        ConfigError: it cannot be read, or a rule cannot be used; the text says which.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(Problem("rules", f"cannot be read: {type(error).__name__}", str(path))) from error
    listed = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or len(listed) > MAX_RULES:
        raise ConfigError(Problem("rules", f"must be a list of at most {MAX_RULES} rules", str(path)))
    return tuple(_rule(entry, f"rules[{index}]", str(path)) for index, entry in enumerate(listed))


def _rule(entry: Any, where: str, path: str) -> Rule:
    def refuse(text: str) -> ConfigError:
        return ConfigError(Problem(where, text, path))

    if not isinstance(entry, Mapping) or not all(isinstance(v, str) for v in entry.values()):
        raise refuse("must be a mapping of texts")
    for key in entry:
        if key not in _KEYS:
            raise refuse(f"unknown key {key!r}; there are {', '.join(sorted(_KEYS))}")
    name, pattern, field = (entry.get(key, "") for key in ("kind", "pattern", "field"))
    if not name or not (pattern or field):
        raise refuse("needs kind, and pattern or field")
    if name in KINDS:
        raise refuse(f"kind {name!r} is built in; choose another name")
    for key, text in (("pattern", pattern), ("field", field)):
        try:
            re2.compile(text)
        except re2.error as error:
            raise refuse(f"{key} {text!r} cannot be compiled (RE2 syntax, no look-around)") from error
    validator = entry.get("validator", "")
    if validator not in ("", "luhn", "iban") and not _exists(validator):
        raise refuse(f"validator {validator!r}: there are luhn, iban and the modules of python-stdnum")
    try:
        category = Category(entry.get("category", "custom"))
    except ValueError:
        raise refuse(f"category must be one of {', '.join(Category)}") from None
    proof = Proof.NAME if not pattern else Proof.STRUCTURE
    return Rule(Kind(name, category, proof, 15), pattern, field, validator)


def _exists(validator: str) -> bool:
    import importlib.util

    try:
        return importlib.util.find_spec(f"stdnum.{validator}") is not None
    except (ImportError, ValueError):
        return False
