"""Adds what is stored as octets, without a value of Python for each number: callers, and latencies of rollups.

Latencies are MessagePack: an array of one map, from bucket to exchanges, in the order of the buckets.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from levo.satellite.learn.network_order cimport big_endian

cdef enum:
    BUCKETS = 256
    LONGEST = 4 + BUCKETS * 11  # head of the map, and for each bucket two octets and nine


cdef struct Latency:
    double[BUCKETS] exchanges
    bint[BUCKETS] known


cdef int number_size(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """The octets of the number that is not negative or has a fraction at *at*; 0 where there is none."""
    cdef int size
    if at >= end:
        return 0
    if at[0] < 0x80:
        size = 1
    elif at[0] == 0xCB:
        size = 9
    elif 0xCC <= at[0] <= 0xCF:
        size = 1 + (1 << (at[0] - 0xCC))
    else:
        return 0
    return size if end - at >= size else 0


cdef double number(const uint8_t* at, int size) noexcept nogil:
    cdef uint64_t octets
    cdef double value
    if size == 1:
        return at[0]
    octets = big_endian(at + 1, size - 1)
    if at[0] != 0xCB:
        return <double>octets
    memcpy(&value, &octets, sizeof(double))
    return value


cdef bint add_stored(Latency* latency, const uint8_t* at, Py_ssize_t length) noexcept nogil:
    """Add a stored column; return False where it is none."""
    cdef const uint8_t* end = at + length
    cdef int count, size
    cdef double bucket
    if length < 2 or at[0] != 0x91:
        return False
    if 0x80 <= at[1] <= 0x8F:
        count = at[1] - 0x80
        at += 2
    elif at[1] == 0xDE and length >= 4:
        count = <int>big_endian(at + 2, 2)
        at += 4
    else:
        return False
    for _ in range(count):
        size = number_size(at, end)
        if not size or at[0] == 0xCB:
            return False
        bucket = number(at, size)
        if bucket >= BUCKETS:
            return False
        at += size
        size = number_size(at, end)
        if not size:
            return False
        latency.exchanges[<int>bucket] += number(at, size)
        latency.known[<int>bucket] = True
        at += size
    return at == end


cdef bytes stored(Latency* latency):
    cdef uint8_t[LONGEST] octets
    cdef uint8_t* at = octets
    cdef uint64_t value
    cdef int bucket, count = 0, shift
    for bucket in range(BUCKETS):
        count += latency.known[bucket]
    at[0] = 0x91
    if count < 16:
        at[1] = <uint8_t>(0x80 + count)
        at += 2
    else:
        at[1] = 0xDE
        at[2] = <uint8_t>(count >> 8)
        at[3] = <uint8_t>count
        at += 4
    for bucket in range(BUCKETS):
        if not latency.known[bucket]:
            continue
        if bucket >= 0x80:
            at[0] = 0xCC
            at += 1
        at[0] = <uint8_t>bucket
        at[1] = 0xCB
        memcpy(&value, &latency.exchanges[bucket], sizeof(double))
        for shift in range(8):
            at[2 + shift] = <uint8_t>(value >> (56 - 8 * shift))
        at += 10
    return PyBytes_FromStringAndSize(<char*>octets, at - octets)


def pack_latency(dict latency not None):
    """Return *latency*, exchanges by bucket, as it is stored."""
    cdef Latency sums
    cdef int place
    memset(&sums, 0, sizeof(sums))
    for bucket, exchanges in latency.items():
        place = bucket
        if not 0 <= place < BUCKETS:
            raise ValueError("there is no such bucket")
        sums.exchanges[place] = exchanges
        sums.known[place] = True
    return stored(&sums)


def joined_latency(bytes known not None, bytes more not None):
    """Return the sum of two stored columns.

    Raises:
        ValueError: one of them is damaged.
    """
    cdef Latency sums
    memset(&sums, 0, sizeof(sums))
    for column in (known, more):
        if not add_stored(&sums, <const uint8_t*>PyBytes_AS_STRING(column), PyBytes_GET_SIZE(column)):
            raise ValueError("stored latencies are damaged")
    return stored(&sums)


def joined_callers(bytes known not None, bytes more not None):
    """Return the union of two sketches of callers; empty ones have none.

    Raises:
        ValueError: they are of different sizes.
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(known), i
    cdef const uint8_t* one = <const uint8_t*>PyBytes_AS_STRING(known)
    cdef const uint8_t* other = <const uint8_t*>PyBytes_AS_STRING(more)
    cdef uint8_t* joined
    cdef bint changed = False
    if not PyBytes_GET_SIZE(more):
        return known
    if not size:
        return more
    if PyBytes_GET_SIZE(more) != size:
        raise ValueError("stored callers are damaged")
    for i in range(size):
        changed |= other[i] > one[i]
    if not changed:
        return known
    union = PyBytes_FromStringAndSize(NULL, size)
    joined = <uint8_t*>PyBytes_AS_STRING(union)
    for i in range(size):
        joined[i] = max(one[i], other[i])
    return union
