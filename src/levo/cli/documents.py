"""OpenAPI documents that commands read and print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from levo.errors import LevoError
from levo.satellite.openapi import DocumentRefused, read_document


class DocumentError(LevoError):
    """A document that cannot be had or read."""

    exit_status = 2


def read_description(path: Path) -> Mapping[str, Any]:
    """Return the OpenAPI document at *path*.

    Raises:
        DocumentError: there is none.
    """
    try:
        return read_document(path.read_text(encoding="utf-8"), aliases=True)
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8") from error
    except DocumentRefused as error:
        raise DocumentError(f"{path}: {error}") from error


def formatted(document: object, form: str) -> str:
    """Return *document* as text, keys in their order."""
    if form == "yaml":
        import yaml

        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        return text.rstrip("\n")
    return json.dumps(document, indent=2, ensure_ascii=False)


def left_out(document: Mapping[str, Any], foreign: Mapping[str, int]) -> Iterator[str]:
    """Yield what the document does not have, and how to get it."""
    if foreign:
        count, names = sum(foreign.values()), ", ".join(foreign)
        yield f"left out {count} requests to third parties: {names}; --host learns one of them"
    for other in document.get("x-levo-other-hosts", ()):
        paths, names = ", ".join(other["left-out"]), " ".join(other["servers"])
        yield f"left out {paths} of {names}, another API under the same paths; --host gives its document"
