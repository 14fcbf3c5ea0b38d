"""Which ``LEVO_`` variables were probably meant to be settings. One rule for both halves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from levo.config.options import SENSOR
from levo.config.satellite_settings import SATELLITE
from levo.config.values import shown

_OWN_PREFIX = "LEVO_SATELLITE_"
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")
"""What Kubernetes sets in every container for a service that is called, say, levo-satellite."""


def misspelled(names: Iterable[str]) -> list[str]:
    """A line for each of *names*, all beginning with ``LEVO_``, that nothing reads and that looks meant.

    That is one close to a name that exists, and any that begins with ``LEVO_SATELLITE_``. The other half's
    variables are not mistakes: both may run in one environment.
    """
    known = {*SENSOR.by_variable, *SATELLITE.by_variable}
    known |= {each.config_variable for each in (SENSOR, SATELLITE) if each.config_variable}
    warnings = []
    for name in sorted(names):
        if name in known or _SERVICE_LINK.search(name):
            continue
        ours = name.startswith(_OWN_PREFIX)
        close = _close_to_ours(name, known) if ours else get_close_matches(name, sorted(known), 1, 0.85)
        if close or ours:
            hint = f"; did you mean {close[0]}?" if close else "; nothing reads it"
            warnings.append(f"environment variable {shown(name)} is not known{hint}")
    return warnings


def _close_to_ours(name: str, known: set[str]) -> list[str]:
    """Compared without what all of them begin with, which would make any two alike."""
    rests = sorted(each.removeprefix(_OWN_PREFIX) for each in known if each.startswith(_OWN_PREFIX))
    return [_OWN_PREFIX + rest for rest in get_close_matches(name.removeprefix(_OWN_PREFIX), rests, 1, 0.6)]
