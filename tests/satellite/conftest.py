from collections.abc import Iterator

import pytest

from tests.satellite.running import RunningSatellite


@pytest.fixture(scope="package")
def satellite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSatellite]:
    """One running Satellite for all tests that only add to it; each uses an application name of its own."""
    with RunningSatellite(tmp_path_factory.mktemp("satellite")) as running:
        yield running
