"""``engine/exchange/names.h``: each of its three ways to look for names finds what the others find.

The header is compiled three times: for AVX2, for SSE2 alone, and for processors with neither. All must agree
wherever octets lie.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src"
COMPILER = os.environ.get("CC", "cc")
WAYS = {
    "wide": ("levo_next_member", ()),
    "SSE2": ("levo_next_member_plain", ("-mno-avx2",)),
    "words": ("levo_next_member", ("-mno-avx2", "-DLEVO_NO_SSE2")),
}
NAMES = (b"password", b"token", b"pin", b"secret", b"x-api-key")
PROGRAM = """
#include "levo/engine/exchange/names.h"
void put(uint64_t *endings, const uint8_t *name, size_t length) {
    uint8_t end[64] = {[7] = '"'};
    memcpy(end + 8, name, length);
    unsigned place = levo_ending(levo_load64(end + length));
    endings[place >> 6] |= (uint64_t)1 << (place & 63);
}
size_t look(const uint64_t *endings, const uint8_t *data, size_t at, size_t length, int *equals) {
    return %s(endings, data, at, length, equals);
}
"""

pytestmark = [
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"no compiler: {COMPILER}"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the ways differ on x86-64 only"),
]


class Way:
    def __init__(self, folder: Path, name: str, call: str, flags: tuple[str, ...]) -> None:
        made = folder / f"{name}.so"
        command = [COMPILER, "-O2", "-shared", "-fPIC", "-Wno-unused-function", *flags, f"-I{SOURCE}"]
        subprocess.run(
            [*command, "-x", "c", "-", "-o", str(made)], input=PROGRAM % call, text=True, check=True
        )
        self._library = ctypes.CDLL(str(made))
        self._library.look.restype = ctypes.c_size_t
        self._endings = (ctypes.c_uint64 * 64)()
        for each in NAMES:
            self._library.put(self._endings, each, ctypes.c_size_t(len(each)))

    def all_of(self, body: bytes) -> tuple[list[int], bool]:
        """Every place that is found, and whether a ``=`` was passed."""
        # Without an octet after it, so that a read past the end is one past a block.
        data = (ctypes.c_uint8 * max(1, len(body))).from_buffer_copy(body or b" ")
        found, at, equals = [], 0, ctypes.c_int(0)
        while at < len(body):
            place = self._library.look(
                self._endings, data, ctypes.c_size_t(at), ctypes.c_size_t(len(body)), ctypes.byref(equals)
            )
            if place == len(body):
                break
            found.append(place)
            at = place + 1
        return found, bool(equals.value)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> list[Way]:
    folder = tmp_path_factory.mktemp("names")
    return [Way(folder, name.replace(" ", ""), call, flags) for name, (call, flags) in WAYS.items()]


def bodies(chance: random.Random) -> bytes:
    """Members and noise, of any length, so that colons lie at each place of a block and at its edges."""
    pieces = [b'"%b":' % name for name in NAMES] + [b'"%b" :' % name.upper() for name in NAMES]
    pieces += [b'\\"%b\\":' % name for name in NAMES]
    pieces += [
        b'"passwor\\u0064":',
        b'"id":',
        b'"n": 1.5,',
        b"a=b&",
        b"::",
        b"\\",
        b'"',
        b" ",
        b"\0",
        b"\xff\n",
    ]
    body = b"".join(chance.choice(pieces) for _ in range(chance.randrange(12)))
    body = b"x" * chance.randrange(70) + body + b"." * chance.choice((0, 0, 1, 63, 64, 65))
    return bytes(chance.choice((*body[:1], each)) if chance.random() < 0.01 else each for each in body)


def test_every_way_finds_the_same(ways):
    chance = random.Random(1)
    seen = 0
    for _ in range(20_000):
        body = bodies(chance)
        first, *others = (way.all_of(body) for way in ways)
        assert [first, first] == others, body
        assert first[1] == (b"=" in body), body
        seen += len(first[0])
    assert seen > 10_000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", [b'"%b":', b'"%b" \t\r\n:', b'\\"%b\\":', b'{"%b":'])
def test_a_named_member_is_found_at_every_place_and_no_other_is(ways, name, form):
    for before in range(140):
        for after in (0, 1, 64):
            body = b"x" * before + form % name + b"y" * after
            for way in ways:
                assert way.all_of(body)[0] == [body.index(b":")], body
                assert way.all_of(body.replace(name, b"description"))[0] == [], body
