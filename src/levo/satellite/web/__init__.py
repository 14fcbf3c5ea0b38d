"""REST, pages and static files. Reads through ``store/``; holds no state of its own."""

from __future__ import annotations

from levo.satellite.web.live import LiveChannel
from levo.satellite.web.site import build_otlp_app, build_site

__all__ = ["LiveChannel", "build_otlp_app", "build_site"]
