"""Eight public descriptions, named before the first run, as npm packages ship them.

``npm pack NAME@VERSION`` and unpack each into a folder; ``python -m bench.comparison.run FOLDER``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from levo.satellite.openapi import read_document

FILES = {
    "blockfrost": "blockfrost-openapi-0.1.93/package/openapi.yaml",
    "directus": "directus-specs-15.2.0/package/dist/openapi.json",
    "galaxy": "scalar-galaxy-0.2.20/package/dist/3.1.json",
    "github": "octokit-openapi-23.0.2/package/generated/api.github.com.json",
    "ideal-postcodes": "ideal-postcodes-openapi-4.21.0/package/dist/openapi.json",
    "readme": "readme-oas-examples-8.2.2/package/3.1/json/readme.json",
    "star-trek": "readme-oas-examples-8.2.2/package/3.0/json/star-trek.json",
    "train-travel": "readme-oas-examples-8.2.2/package/3.1/json/train-travel.json",
}


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return one of the descriptions below *folder*."""
    return read_document((folder / FILES[name]).read_text(encoding="utf-8"), aliases=True)
