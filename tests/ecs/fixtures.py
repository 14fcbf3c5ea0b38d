"""Stand-ins for AWS as fixtures, for the tests of the installer and of its commands."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import loaders

from tests.ecs.fake_ecs import FakeEcs, serving
from tests.ecs.moto_server import REGION, TEN, MotoServer, write_credentials


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """One moto server for the whole run."""
    pytest.importorskip("moto", reason="moto is not installed (extra dev)")
    server = MotoServer(tmp_path_factory.mktemp("moto"))
    yield server
    server.close()


@pytest.fixture
def moto(moto_process: MotoServer) -> MotoServer:
    """The server, empty and believing everybody."""
    moto_process.reset()
    return moto_process


@functools.cache
def shared_loader(*_: object) -> Any:
    """botocore reads its service models (megabytes of JSON) for every session; once is enough here."""
    return loaders.create_loader()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with credentials in ``~/.aws``, and none of the developer's own settings."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("botocore.session.create_loader", shared_loader)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    write_credentials(tmp_path)
    return tmp_path


@pytest.fixture
def fake(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcs]:
    """A fake region that every AWS client of this process talks to, and asks for valid things only."""
    region = FakeEcs(REGION)
    with serving(region) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield region
    assert region.invalid == []
    used = {operation for operation, _ in region.requests}
    assert used <= {action.partition(":")[2] for action in TEN}
