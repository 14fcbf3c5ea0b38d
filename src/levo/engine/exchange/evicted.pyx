"""What is kept of an exchange that is given up for memory: its start lines, and the field lines that are short.

Giving up has to free memory, so the bodies go, and so does what of the heads is beyond some KiB. What is left is
reported, marked ``evicted``, and charged to a reserve: a part of the budget that nothing else uses
(``set_limit``), so that it takes nothing from connections that are still read. Where the reserve is full, the
exchange is only counted.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcpy, memset

from levo.engine.core.exchange cimport exchange_footprint, section_allocate, section_text
from levo.engine.core.memory cimport buffer_free, charge_reserve, section_free
from levo.engine.core.output cimport Text
from levo.engine.core.state cimport EngineState
from levo.engine.core.types cimport ANOMALY_HEAD_CUT, Budget, Buffer, Exchange, Field, Message, Section, Span

cdef enum:
    MOST_TEXT = 2048            # octets of names and values kept of one head, besides its start line
    MOST_FIELDS = 64            # ... and so many fields


cdef bint keep_evicted(EngineState* state, Exchange* exchange) noexcept nogil:
    """Trim *exchange* and charge it to the reserve. False, and only trimmed, without room there."""
    cdef bint good = trim_message(&state.budget, &exchange.request)
    good = trim_message(&state.budget, &exchange.response) and good
    exchange.footprint = exchange_footprint(exchange)
    if not good or exchange.footprint > state.budget.reserve - state.budget.reserved:
        return False
    exchange.reserved = 1
    charge_reserve(&state.budget, exchange.footprint)
    return True


cdef bint trim_message(Budget* budget, Message* message) noexcept nogil:
    """Free the content of *message*, and shorten its head. False when memory is refused."""
    if message.body.length:
        message.truncated = 1
        message.body_gap_at = 0
    buffer_free(budget, &message.body)
    section_free(budget, &message.trailers)
    if message.head.allocated <= MOST_TEXT + MOST_FIELDS * sizeof(Field):
        return True
    return trim_head(budget, message)


cdef bint trim_head(Budget* budget, Message* message) noexcept nogil:
    """Make another section of the start line and of the fields that fit, in their order."""
    cdef Section* head = &message.head
    cdef Section made
    cdef Span* start[5]
    cdef uint32_t line = 0, room = 0, kept = 0, at = 0, i
    cdef uint32_t size
    start[0] = &message.method
    start[1] = &message.target
    start[2] = &message.scheme
    start[3] = &message.authority
    start[4] = &message.reason
    for i in range(5):
        line += section_text(head, start[i][0]).length
    for i in range(head.field_count):
        size = field_size(head, &head.fields[i])
        if kept < MOST_FIELDS and size <= MOST_TEXT - room:
            head.fields[kept] = head.fields[i]
            kept += 1
            room += size
    if kept < head.field_count:
        message.anomalies |= ANOMALY_HEAD_CUT
    memset(&made, 0, sizeof(Section))
    if not section_allocate(budget, &made, line + room, kept):
        return False
    for i in range(5):
        start[i][0] = put_text(&made, &at, section_text(head, start[i][0]))
    for i in range(kept):
        made.fields[i].name = put_text(&made, &at, section_text(head, head.fields[i].name))
        made.fields[i].value = put_text(&made, &at, section_text(head, head.fields[i].value))
    section_free(budget, head)
    message.head = made
    return True


cdef inline uint32_t field_size(const Section* section, const Field* field) noexcept nogil:
    return section_text(section, field.name).length + section_text(section, field.value).length


cdef Span put_text(Section* section, uint32_t* at, Text text) noexcept nogil:
    """Copy *text* to position *at* of *section*, which has room for it."""
    cdef Span span
    span.at = at[0]
    span.length = text.length
    if text.length:
        memcpy(section.text + at[0], text.data, text.length)
    at[0] += text.length
    return span


cdef void trim_cut_head(Buffer* head) noexcept nogil:
    """Leave out what of *head*, the beginning of a head of HTTP/1, is not kept anyway: it is read in a copy."""
    cdef const uint8_t* found
    cdef uint32_t most = MOST_TEXT
    if head.length <= most:
        return
    found = <const uint8_t*>memchr(head.data + most, 10, head.length - most)
    if memchr(head.data, 10, most) != NULL or found == NULL:
        head.length = most
    else:
        head.length = <uint32_t>(found - head.data) + 1       # a long start line
