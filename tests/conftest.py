"""For all tests."""

from __future__ import annotations

from hypothesis import settings

# A machine that does other things is slow at times: no test depends on one.
settings.register_profile("levo", deadline=None)
settings.load_profile("levo")
