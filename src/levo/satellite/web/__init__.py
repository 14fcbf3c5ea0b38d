"""REST, pages and static files: HTTP only. Reads through ``catalog/``; holds no state of its own."""

from __future__ import annotations

from levo.satellite.web.backup import Backup
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.connect import Connect
from levo.satellite.web.live import LiveChannel
from levo.satellite.web.site import SiteParts, build_otlp_app, build_site

__all__ = [
    "Backup",
    "Catalogs",
    "Connect",
    "LiveChannel",
    "SiteParts",
    "build_otlp_app",
    "build_site",
]
