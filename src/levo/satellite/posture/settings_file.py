"""The user's settings of the rules, from a YAML file.

.. code-block:: yaml

    rules:
      AUTH-04: {enabled: false}                # the rule is not asked
      LIM-02: {least: 2000, severity: medium}  # only lists of 2,000 items and more, as medium
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from levo.errors import ConfigError, Problem
from levo.satellite.posture.model import Rule, Severity
from levo.satellite.posture.rules import RULES
from levo.satellite.posture.settings import DEFAULT_SETTINGS, PostureSettings, RuleSettings

_KEYS = frozenset(("enabled", "least", "severity"))
_MOST = 10**9


def load_posture_settings(path: Path) -> PostureSettings:
    """Read the settings in the file at *path*; without such a file all rules are as they say.

    Raises:
        ConfigError: it cannot be read, or an entry cannot be used; the text says which.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DEFAULT_SETTINGS
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(Problem("rules", f"cannot be read: {type(error).__name__}", str(path))) from error
    listed = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(listed, Mapping):
        raise ConfigError(
            Problem("rules", "must be a mapping from ids of rules to their settings", str(path))
        )
    known = {rule.id: rule for rule in RULES}
    found: dict[str, RuleSettings] = {}
    for name, entry in listed.items():
        if name not in known:
            raise ConfigError(Problem(f"rules.{name}", "there is no such rule", str(path)))
        found[name] = _settings(known[name], entry, str(path))
    return PostureSettings(found)


def _settings(rule: Rule, entry: Any, path: str) -> RuleSettings:
    where = f"rules.{rule.id}"
    if not isinstance(entry, Mapping) or not _KEYS.issuperset(entry):
        raise ConfigError(Problem(where, f"must be a mapping with some of {', '.join(sorted(_KEYS))}", path))
    enabled, least, severity = (
        entry.get("enabled", True),
        entry.get("least", rule.least),
        entry.get("severity"),
    )
    if not isinstance(enabled, bool):
        raise ConfigError(Problem(f"{where}.enabled", "must be true or false", path))
    if not isinstance(least, int) or isinstance(least, bool) or not 1 <= least <= _MOST:
        raise ConfigError(Problem(f"{where}.least", f"must be a whole number from 1 to {_MOST:,}", path))
    if severity is not None and severity not in tuple(Severity):
        raise ConfigError(Problem(f"{where}.severity", f"must be one of {', '.join(Severity)}", path))
    return RuleSettings(enabled, least, None if severity is None else Severity(severity))
