"""Trace and span identifiers: from the request's ``traceparent``, else from what the exchange is.

Derived identifiers depend on the capture alone, so the same capture gives the same trace, and two outputs of one
exchange name it alike.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from levo.engine.output cimport Text
from levo.engine.types cimport Exchange


cdef inline int hex_value(uint8_t octet) noexcept nogil:
    if c"0" <= octet <= c"9":
        return octet - c"0"
    if c"a" <= octet <= c"f":
        return octet - c"a" + 10
    return -1


cdef inline bint read_hex(const uint8_t* text, int octets, uint8_t* out) noexcept nogil:
    """Lower-case hexadecimal of *octets* octets, not all zero."""
    cdef int i, high, low
    cdef uint8_t seen = 0
    for i in range(octets):
        high = hex_value(text[2 * i])
        low = hex_value(text[2 * i + 1])
        if high < 0 or low < 0:
            return False
        out[i] = <uint8_t>(high << 4 | low)
        seen |= out[i]
    return seen != 0


cdef bint read_traceparent(Text text, uint8_t* trace_id, uint8_t* parent_id, uint8_t* flags) noexcept nogil:
    """W3C Trace Context level 1, section 3.2; later versions may carry more behind the flags."""
    cdef int high, low
    if text.length < 55 or text.data[2] != c"-" or text.data[35] != c"-" or text.data[52] != c"-":
        return False
    high = hex_value(text.data[0])
    low = hex_value(text.data[1])
    if high < 0 or low < 0 or (high == 15 and low == 15):
        return False
    if text.length > 55 and (text.data[55] != c"-" or (high == 0 and low == 0)):
        return False
    if not read_hex(text.data + 3, 16, trace_id) or not read_hex(text.data + 36, 8, parent_id):
        return False
    high = hex_value(text.data[53])
    low = hex_value(text.data[54])
    if high < 0 or low < 0:
        return False
    flags[0] = <uint8_t>(high << 4 | low)
    return True


cdef void derive_ids(const Exchange* exchange, uint8_t* trace_id, uint8_t* span_id) noexcept nogil:
    """Identifiers that depend on connection, place in it and times alone: the same capture, the same ids."""
    cdef uint64_t words[12]
    cdef uint64_t high = 0x243F6A8885A308D3, low = 0x13198A2E03707344, third = 0xA4093822299F31D0
    cdef int i
    memcpy(words, exchange.client, 16)
    memcpy(words + 2, exchange.server, 16)
    words[4] = <uint64_t>exchange.client_port << 48 | <uint64_t>exchange.server_port << 32 | exchange.stream_id
    words[5] = <uint64_t>exchange.request.start_ns
    words[6] = <uint64_t>exchange.response.start_ns
    words[7] = <uint64_t>exchange.request.stream_start
    words[8] = <uint64_t>exchange.response.stream_start
    words[9] = <uint64_t>exchange.request.end_ns
    words[10] = <uint64_t>exchange.response.end_ns
    words[11] = (<uint64_t>exchange.request.present << 8 | exchange.response.present) << 8 | exchange.family
    for i in range(12):
        high = mix(high, words[i])
        low = mix(low + high, words[i])
        third = mix(third ^ low, words[i])
    high = mix(mix(high, third), low) | 1
    low = mix(mix(low, high), third)
    third = mix(mix(third, low), high) | 1
    memcpy(trace_id, &high, 8)
    memcpy(trace_id + 8, &low, 8)
    memcpy(span_id, &third, 8)
