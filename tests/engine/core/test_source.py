"""The frame source interface."""

from __future__ import annotations

from levo.engine.engine import Engine

from levo.engine.core.source import FrameSource


def test_the_bare_interface_is_an_empty_source():
    """-1: there will be no frame."""
    assert Engine().pump(FrameSource(), 10, 0) == -1
