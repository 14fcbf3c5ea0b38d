"""The traffic that is compared: captures and HAR files, with the TLS key logs that stand beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.compare.traffic import write_traffic

_CAPTURES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz")


@dataclass(frozen=True, slots=True)
class Input:
    """One file."""

    corpus: str
    name: str
    """Corpus and path inside it."""
    path: Path
    key_log: Path | None = None

    @property
    def is_capture(self) -> bool:
        """A capture, as opposed to a HAR file."""
        return self.path.name.endswith(_CAPTURES)


def corpora(root: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """The folders of recorded traffic by name; a shared folder that is absent is left out."""
    captures = Path(environ.get("LEVO_CAPTURES", root.parent / "shared/captures"))
    folders = {
        "captures": captures,
        "shared-cases": captures.parent / "cases",
        "test-cases": root / "tests/cases",
    }
    return {name: folder for name, folder in folders.items() if folder.is_dir()}


def files_of(corpus: str, folder: Path) -> list[Input]:
    """All captures and HAR files below *folder*, by name."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((*_CAPTURES, ".har")) and path.is_file():
            log = path.with_name(f"{path.name}.keys")
            others = [*sorted(path.parent.glob("*key*.log")), *sorted(path.parent.glob("*key*.txt"))]
            key_log = log if log.is_file() else next(iter(others), None)
            found.append(Input(corpus, f"{corpus}/{path.relative_to(folder)}", path, key_log))
    return found


def all_inputs(root: Path, build: Path, seeds: int) -> list[Input]:
    """Recorded and generated traffic, in a fixed order."""
    folders = corpora(root) | {"generated": write_traffic(build / "traffic", seeds, root / "tests/helpers")}
    return [each for corpus, folder in folders.items() for each in files_of(corpus, folder)]
