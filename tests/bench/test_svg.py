"""Plots are well-formed, and the numbers are where the axes say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench import svg

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values_say():
    root = ElementTree.fromstring(svg.bars("a < b", [("one & two", 300.0), ("three", 75.0)], unit="/s"))

    lengths = [float(each.attrib["width"]) for each in root.iter(f"{SVG}rect")][1:]
    assert lengths[0] == pytest.approx(4 * lengths[1], rel=0.01)
    assert {"one & two", "a < b", "300 /s"} <= {each.text for each in root.iter(f"{SVG}text")}


def test_lines_rise_with_their_values_and_a_logarithmic_axis_spaces_powers_evenly():
    points = [(1.0, 1.0), (10.0, 2.0), (100.0, 4.0)]
    root = ElementTree.fromstring(svg.lines("t", [("s", points)], x="x", y="y", log=True))

    places = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SVG}circle")]
    assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.2)
    assert places[0][1] - places[1][1] == pytest.approx((places[1][1] - places[2][1]) / 2, abs=0.2)
