"""Compiling and running filter programs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.errors import ConfigError
from levo.sensor.capture.bpf import SNAPLEN, ExpressionError, Program, compile_expression
from tests.sensor.capture.files import tcp_frame


@given(frame=st.binary(max_size=200), wire=st.integers(0, 2**32 - 1))
def test_any_octets_are_decided_without_reading_past_them(frame, wire):
    program = Program(compile_expression("tcp port 80 and ip[2:2] > 40 and tcp[13] & 2 != 0"))

    assert program.match(frame, wire) in (True, False)


def test_the_wire_length_counts_for_len():
    program = Program(compile_expression("greater 1000"))

    assert program.match(tcp_frame(1, 2), 1500)
    assert not program.match(tcp_frame(1, 2))


def test_programs_keep_their_instructions():
    instructions = compile_expression("tcp")
    program = Program(instructions)

    assert program.instructions == instructions
    assert len(program) == len(instructions)
    assert instructions[-2:] == [(6, 0, 0, SNAPLEN), (6, 0, 0, 0)]


def test_an_invalid_program_is_refused():
    for bad in ([], [(5, 0, 0, 7)], [(0x15, 9, 9, 0), (6, 0, 0, 0)], [(0x20, 0, 0, 0)]):
        with pytest.raises(ValueError):
            Program(bad)
    with pytest.raises(ConfigError, match="4097 instructions"):
        Program([(0x20, 0, 0, 0)] * 4096 + [(6, 0, 0, 0)])


def test_libpcaps_message_is_handed_on():
    with pytest.raises(ExpressionError, match="syntax error"):
        compile_expression("port 80 port")
    with pytest.raises(ExpressionError, match="unknown data link type"):
        compile_expression("tcp", 999)
