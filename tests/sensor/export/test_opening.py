"""From --output to a destination."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from levo.config import OutputSpec
from levo.config.values import output, satellite_url
from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings, open_destination
from levo.sensor.export.har import HarFile
from levo.sensor.export.jsonl import JsonLines
from levo.sensor.export.null import Null
from levo.sensor.export.otlp_grpc import OtlpGrpc
from levo.sensor.export.otlp_http import OtlpHttp


def test_each_kind_opens_its_destination(tmp_path: Path) -> None:
    kinds = {"null": Null, f"jsonl:{tmp_path}/lines": JsonLines, f"har:{tmp_path}/har": HarFile}
    for written, kind in kinds.items():
        destination = open_destination(output(written))
        assert isinstance(destination, kind)
        destination.close()
    for url, kind in {"http://h:1": OtlpHttp, "h:1": OtlpGrpc}.items():
        destination = open_destination(OutputSpec("otlp"), OtlpSettings(satellite_url(url)))
        assert isinstance(destination, kind)
        destination.close()


def test_otlp_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="--satellite-url"):
        open_destination(OutputSpec("otlp"))


def test_a_sensor_that_writes_files_loads_no_client_library() -> None:
    code = (
        "import sys\n"
        "from levo.config import OutputSpec\n"
        "from levo.sensor.export import *\n"
        "open_destination(OutputSpec('null'))\n"
        "print(sorted({'grpc', 'urllib3', 'ssl', 'google.protobuf'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
