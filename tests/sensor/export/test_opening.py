"""From --output to a destination."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings, OutputKind, OutputTarget, open_destination
from levo.sensor.export.har import HarFile
from levo.sensor.export.jsonl import JsonLines
from levo.sensor.export.null import Null
from levo.sensor.export.otlp_grpc import OtlpGrpc
from levo.sensor.export.otlp_http import OtlpHttp
from tests.sensor.export.helpers import satellite


def test_each_kind_opens_its_destination(tmp_path: Path) -> None:
    kinds = {OutputKind.NULL: Null, OutputKind.JSONL: JsonLines, OutputKind.HAR: HarFile}
    for name, kind in kinds.items():
        destination = open_destination(OutputTarget(name, None if kind is Null else tmp_path / name))
        assert isinstance(destination, kind)
        destination.close()
    for url, kind in {"http://h:1": OtlpHttp, "h:1": OtlpGrpc}.items():
        destination = open_destination(OutputTarget(OutputKind.OTLP), OtlpSettings(satellite(url)))
        assert isinstance(destination, kind)
        destination.close()


def test_otlp_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="--satellite-url"):
        open_destination(OutputTarget(OutputKind.OTLP))


def test_a_sensor_that_writes_files_loads_no_client_library() -> None:
    code = (
        "import sys\n"
        "from levo.sensor.export import *\n"
        "open_destination(OutputTarget(OutputKind.NULL))\n"
        "print(sorted({'grpc', 'urllib3', 'ssl', 'google.protobuf'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
