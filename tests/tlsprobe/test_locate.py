"""The function that logs secrets is found in builds of every kind, and refused where it is not clear."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.tlsprobe.locate import LARGEST_BYTES, locate, read_build_id, steps
from levo.tlsprobe.location import Location, Refused
from tests.helpers.effort import long
from tests.tlsprobe.builds import BUILDS, RANDOM, Build, fetch

FEW = {
    "cryptography-3.4.8-x86-64",
    "cryptography-46.0.3-arm64-musl",
    "grpcio-1.76.0-x86-64",
    "curl_cffi-0.7.4-arm64",
    "psycopg2-binary-2.9.9-arm64",
    "mysql-connector-python-9.1.0-x86-64",
}
"""One of each kind: `make test` takes these, `make test-long` all."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def located(path: Path) -> Location:
    with opened(path) as descriptor:
        return locate(descriptor)


def system_libssl() -> Path:
    """The libssl that this interpreter has loaded; skips without one."""
    import ssl

    assert ssl.OPENSSL_VERSION
    for line in Path("/proc/self/maps").read_text().splitlines():
        name = line.split()[-1]
        if "libssl" in os.path.basename(name):
            return Path(name)
    pytest.skip("this Python has no libssl of its own file")


@pytest.mark.slow
@pytest.mark.parametrize(
    "build", [each if str(each) in FEW else long(each) for each in BUILDS], ids=[str(each) for each in BUILDS]
)
def test_one_function_and_one_place_in_each_build(build: Build) -> None:
    found = located(fetch(build))

    assert found.machine == build.platform.split()[0]
    assert found.labels >= 2
    if found.form != "arguments":
        assert (found.form, found.pointer, found.random) == RANDOM[build.library]


def test_the_systems_library() -> None:
    path = system_libssl()

    found = located(path)

    with opened(path) as descriptor:
        assert found.build_id == read_build_id(descriptor) != ""


@pytest.mark.parametrize(
    ("machine", "path"), [("x86-64", None), ("arm64", "psycopg2-binary-2.9.9-arm64")], ids=["x86-64", "arm64"]
)
def test_instructions_are_as_long_as_capstone_says(machine: str, path: str | None) -> None:
    """Of a whole library: each instruction that capstone knows, at its address."""
    capstone = pytest.importorskip("capstone", reason="capstone is the oracle")
    name = fetch(next(each for each in BUILDS if str(each) == path)) if path else system_libssl()
    engine = (
        capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
        if machine == "arm64"
        else capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    )
    engine.skipdata = True
    address, code = code_of(name.read_bytes())
    known = [(at, size, text) for at, size, text, _ in engine.disasm_lite(code, address) if text != ".byte"]

    wrong = [
        (hex(at), text)
        for at, size, text in known
        if steps(code[at - address : at - address + 15], at, machine)[:1] != [(at, size)]
    ]

    assert len(known) > 50_000
    assert not wrong


def code_of(file: bytes) -> tuple[int, bytes]:
    """Address and octets of a file's section of code (.text)."""
    table, size, count, names = struct.unpack_from("<Q10xHHH", file, 40)
    sections = [struct.unpack_from("<IIQQQQ", file, table + size * i) for i in range(count)]
    strings = sections[names][4]
    for name, _, _, address, offset, length in sections:
        if file[strings + name :].startswith(b".text\0"):
            return address, file[offset : offset + length]
    raise AssertionError("no code")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n" * 20, "not an ELF file"),
        (b"\x7fELF\x01\x01" + bytes(200), "not for x86-64 or arm64"),
        (b"\x7fELF\x02\x01" + bytes(10) + b"\x03\x00\xf3\x00" + bytes(200), "not for x86-64 or arm64"),
        (
            b"\x7fELF\x02\x01"
            + bytes(10)
            + b"\x03\x00\x3e\x00"
            + bytes(12)
            + b"\xff" * 8
            + bytes(14)
            + b"\x38\0",
            "outside",
        ),
    ],
)
def test_what_is_no_library_is_refused_with_a_reason(octets: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(octets.ljust(128, b"\0") if octets else octets)

    with pytest.raises(Refused, match=reason):
        located(path)


@pytest.mark.parametrize(
    ("texts", "reason", "named"),
    [
        (b"CLIENT_TRAFFIC_SECRET_0SERVER.../rustls-0.23.1/src/", "uses rustls, .*: give", True),
        (b"CLIENT_TRAFFIC_SECRET_0SERVER\xff Go buildinf:", "uses Go's crypto/tls.*: set", True),
        (b"CLIENT_TRAFFIC_SECRET_0SERVER", "no labels", False),
        (b"rustls", "no labels", False),
    ],
)
def test_libraries_of_other_languages_are_named(
    texts: bytes, reason: str, named: bool, tmp_path: Path
) -> None:
    """Their labels have no end, for their texts know their lengths."""
    program = tmp_path / "program"
    program.write_bytes(Path("/bin/ls").read_bytes() + texts)

    with pytest.raises(Refused, match=reason) as refusal:
        located(program)
    assert refusal.value.labels is named


def test_a_program_without_tls_is_refused() -> None:
    with pytest.raises(Refused, match="no labels"):
        located(Path("/bin/ls"))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)

    with pytest.raises(Refused, match="larger than"):
        located(path)


@pytest.mark.slow
def test_damaged_files_end_in_an_answer(tmp_path: Path) -> None:
    """Headers, code and data changed at random, or cut: found or refused, and the process lives."""
    whole = system_libssl().read_bytes()
    true = located(system_libssl())
    path = tmp_path / "file"
    chance = random.Random(21)
    outcomes = []
    for turn in range(300):
        octets = bytearray(whole)
        reach = (1024, len(octets))[turn % 2]
        for _ in range(chance.choice((1, 20, 3000))):
            octets[chance.randrange(reach)] = chance.randrange(256)
        if turn % 3 == 0:
            del octets[chance.randrange(len(octets)) :]
        path.write_bytes(octets)
        try:
            outcomes.append(located(path).form)
        except Refused as refusal:
            outcomes.append(str(refusal))

    assert true.form in outcomes
    assert len(set(outcomes)) > 2


def test_a_second_function_that_looks_alike_is_a_refusal(tmp_path: Path) -> None:
    """No vote decides: where two functions get labels of both kinds, neither is probed."""
    path = tmp_path / "file"
    path.write_bytes(library(functions=2))
    with pytest.raises(Refused, match="several"):
        located(path)

    path.write_bytes(library(functions=1))
    found = located(path)

    assert (found.form, found.pointer, found.random, found.labels) == ("embedded", 0, 0x160, 2)


def library(functions: int) -> bytes:
    """A little x86-64 library: functions that read 16 octets at ssl + 0x160, each called with two labels."""
    code_at, labels = 0x1000, b"CLIENT_RANDOM\0EXPORTER_SECRET\0" + bytes(32)
    code = bytearray()
    for _ in range(functions):
        code += b"\x48\x8d\x97\x60\x01\x00\x00"  # lea rdx, [rdi + 0x160]
        code += b"\x0f\x10\x02\xc3" + bytes(5)  # movups xmm0, [rdx]; ret
    for each in range(functions):
        for label in (0, 14):
            here = code_at + len(code)
            code += b"\x48\x8d\x35" + struct.pack("<i", 0x400 + label - (here + 7))  # lea rsi, label
            code += b"\xe8" + struct.pack("<i", code_at + 16 * each - (here + 12)) + b"\xc3"
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    parts = [(0x400, len(labels), 4), (code_at, len(code), 5)]
    table = b"".join(struct.pack("<IIQQQQQQ", 1, flags, at, at, at, n, n, 4096) for at, n, flags in parts)
    return (header + table).ljust(0x400, b"\0") + labels.ljust(code_at - 0x400, b"\0") + bytes(code)
