"""American spelling in everything that is read: names, messages, pages, documentation, comments."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEMS = r"""
    organis(?!m) recognis normalis serialis synchronis prioritis initialis summaris optimis(?![mt])
    minimis(?!t) maximis generalis(?!t) specialis(?!t) canonicalis tokenis authoris categoris customis
    utilis sanitis standardis characteris localis capitalis(?![mt]) finalis(?!t) memoris randomis
    visualis emphasis(?:ed|ing)
    behaviour colour favour honour neighbour harbour flavour rumour
    catalogue licence defence offence artefact judgement grey whilst labelled(?!by) modelling signalling
    travell cancelling analyse(?!s) analysing
"""
BRITISH = re.compile("|".join(STEMS.split()))
"""Searched in lower case: ignoring case takes ten times as long."""
TEXTS = {*["py", "pyx", "pxd", "pyi", "h", "c", "md", "html", "js", "css", "json", "yaml", "toml", "txt"], ""}
DATA = {"vocabulary.txt", "labels.txt", "model.json", Path(__file__).name}
"""Words of services, in whatever spelling, and this file."""
EARLIER = "driving-licence"
"""A kind of sensitive data, as data directories of the first version call it."""


@pytest.mark.parametrize("word", ["Organisation", "unrecognised_types", "LABELLED", "a licence", "greyish"])
def test_british_spelling_is_found(word: str) -> None:
    assert BRITISH.search(word.lower())


@pytest.mark.parametrize("word", ["organism", "aria-labelledby", "analyses", "optimist", "emphasis"])
def test_american_spelling_passes(word: str) -> None:
    assert not BRITISH.search(word.lower())


def test_everything_is_spelled_the_american_way() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of the repository")
    found = []
    for path in map(ROOT.joinpath, listed.stdout.split("\0")):
        if path.suffix[1:] in TEXTS and path.name not in DATA and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace").lower()
            text = text.replace(EARLIER, EARLIER.replace("licence", "license"))
            for match in BRITISH.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{path.relative_to(ROOT)}:{line}: {match[0]}")

    assert not found, "\n".join(found)
