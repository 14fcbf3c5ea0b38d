"""Network interfaces that the kernel is still setting up: it follows a cable a moment later, by itself."""

from __future__ import annotations

import json
import subprocess
import time


def until_links(state: str, *names: str, namespace: str | None = None) -> None:
    """Return once the kernel shows *state* (``UP``, ``LOWERLAYERDOWN``) for all of these interfaces.

    ``ip link set`` returns before that: the kernel's link watch runs later, up to a second, and until then a
    frame that is sent is thrown away and IFF_RUNNING is the old one. *namespace*: by name; the calling
    thread's own where it is None.
    """
    inside = ["-n", namespace] if namespace is not None else []
    end = time.monotonic() + 60
    while True:
        listing = subprocess.run(["ip", *inside, "-j", "link"], check=True, capture_output=True).stdout
        states = {each["ifname"]: each["operstate"] for each in json.loads(listing)}
        if all(states[name] == state for name in names):
            return
        assert time.monotonic() < end, f"{names} are to be {state}: {states}"
        time.sleep(0.01)
