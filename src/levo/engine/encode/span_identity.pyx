"""Trace and span identifiers: from the request's ``traceparent``, else from what the exchange is.

Derived identifiers depend on the capture alone, so the same capture gives the same trace, and two outputs of one
exchange name it alike.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Exchange


cdef extern from "levo/engine/encode/hex.h":
    const uint8_t NO_HEX "LEVO_NO_HEX"
    const uint8_t* HEX "levo_hex"     # the value of a digit, or NO_HEX


cdef inline bint read_hex(const uint8_t* text, int octets, uint8_t* out) noexcept nogil:
    """Lower-case hexadecimal of *octets* octets; False where there is another character."""
    cdef int i
    cdef uint8_t high, low, odd = 0
    for i in range(octets):
        high = HEX[text[2 * i]]
        low = HEX[text[2 * i + 1]]
        odd |= high | low
        out[i] = <uint8_t>(high << 4 | low)
    return not odd & NO_HEX


cdef inline bint all_zero(const uint8_t* octets, int count) noexcept nogil:
    cdef int i
    cdef uint8_t seen = 0
    for i in range(count):
        seen |= octets[i]
    return seen == 0


cdef bint read_traceparent(Text text, uint8_t* trace_id, uint8_t* parent_id, uint8_t* flags) noexcept nogil:
    """W3C Trace Context level 1, section 3.2; later versions may carry more behind the flags."""
    cdef uint8_t version
    if text.length < 55 or text.data[2] != c"-" or text.data[35] != c"-" or text.data[52] != c"-":
        return False
    if not read_hex(text.data, 1, &version) or version == 255:
        return False
    if text.length > 55 and (text.data[55] != c"-" or version == 0):
        return False
    if not read_hex(text.data + 3, 16, trace_id) or not read_hex(text.data + 36, 8, parent_id):
        return False
    return read_hex(text.data + 53, 1, flags) and not all_zero(trace_id, 16) and not all_zero(parent_id, 8)


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
