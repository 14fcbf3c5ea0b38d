"""How decisions of users name the endpoints of the catalog."""

from __future__ import annotations

from levo.satellite.store import EndpointRow
from levo.satellite.store.schema import anonymous_template
from levo.satellite.store.userdata import EndpointPlace


def place_of(row: EndpointRow) -> EndpointPlace:
    """Return how decisions name this endpoint."""
    return EndpointPlace(
        row.organization, row.environment, row.application, row.host, row.method, anonymous_template(row.path)
    )
