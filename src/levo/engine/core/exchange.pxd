# Exchange records: life, footprint, look-up, derived facts.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free

from levo.engine.core.memory cimport buffer_free, clear, give_back, section_free, take
from levo.engine.core.output cimport Text, lower
from levo.engine.core.types cimport Budget, Exchange, Field, Hop, Message, Section, Span


cdef extern from "levo/engine/core/exchange.h":
    void prefetch "levo_prefetch" (const void* at, size_t size) noexcept nogil


ctypedef struct Facts:
    # What follows from an exchange, the same for every output. Borrowed from the exchange.
    Text method
    Text target
    Text scheme
    Text host                 # with port where sent
    Text server_name          # host without port and brackets; empty when unknown
    Text path
    Text query
    int64_t start_ns
    int64_t end_ns
    int64_t first_byte_ns     # first octet of the response; 0 when there is none
    uint16_t server_port      # sent with the host, else of the connection
    uint8_t version_major     # of the request, else of the response
    uint8_t version_minor
    bint has_query


cdef inline Exchange* exchange_new(Budget* budget) noexcept nogil:
    """An empty exchange of weight 1, or NULL when memory is refused."""
    cdef Exchange* exchange = <Exchange*>take(budget, sizeof(Exchange))
    if exchange != NULL:
        clear(exchange, sizeof(Exchange))
        exchange.weight = 1.0
        exchange.footprint = sizeof(Exchange)
    return exchange


cdef inline void message_free(Budget* budget, Message* message) noexcept nogil:
    section_free(budget, &message.head)
    section_free(budget, &message.trailers)
    buffer_free(budget, &message.body)


cdef inline void exchange_free(Budget* budget, Exchange* exchange) noexcept nogil:
    """Free the exchange and all it holds; NULL is allowed. Links to neighbors are the caller's."""
    if exchange != NULL:
        message_free(budget, &exchange.request)
        message_free(budget, &exchange.response)
        if exchange.hop != NULL:
            give_back(budget, exchange.hop, sizeof(Hop))
        give_back(budget, exchange, sizeof(Exchange))


cdef inline int64_t exchange_footprint(const Exchange* exchange) noexcept nogil:
    """Octets that the exchange has taken from its budget, counted afresh."""
    return (<int64_t>sizeof(Exchange) + (<int64_t>sizeof(Hop) if exchange.hop != NULL else 0)
            + exchange.request.head.allocated + exchange.request.trailers.allocated
            + exchange.request.body.capacity
            + exchange.response.head.allocated + exchange.response.trailers.allocated
            + exchange.response.body.capacity)


cdef inline void fetch_ahead(const Exchange* exchange) noexcept nogil:
    """Have the memory of the exchanges behind *exchange* brought near: another core has written it."""
    cdef const Exchange* after = exchange.next
    if after == NULL:
        return
    prefetch(after.request.head.text, after.request.head.allocated)
    prefetch(after.request.body.data, after.request.body.length)
    prefetch(after.response.head.text, after.response.head.allocated)
    prefetch(after.response.body.data, after.response.body.length)
    if after.next != NULL:
        prefetch(after.next, sizeof(Exchange))


cdef inline uint8_t client_family(const Exchange* exchange) noexcept nogil:
    """Of the client's address, which a PROXY header may have named."""
    return exchange.proxied if exchange.proxied else exchange.family


cdef inline bint is_status(long long number) noexcept nogil:
    """Whether *number* is a status code (RFC 9110 section 15)."""
    return 100 <= number <= 599


cdef inline Text section_text(const Section* section, Span span) noexcept nogil:
    """The octets of *span*; empty when it does not lie inside the section."""
    cdef Text text
    text.data = NULL
    text.length = 0
    if section.text != NULL and span.at <= section.text_length and span.length <= section.text_length - span.at:
        text.data = section.text + span.at
        text.length = span.length
    return text


cdef inline Text cut(Text text, uint32_t at) noexcept nogil:
    """The rest of *text* from *at* on."""
    cdef Text rest
    rest.data = text.data + at
    rest.length = text.length - at
    return rest


cdef inline uint32_t scheme_length(Text target) noexcept nogil:
    """Length of the scheme of an absolute-form target (``scheme://``), else 0 (RFC 3986 section 3.1)."""
    cdef uint32_t i
    cdef uint8_t c
    for i in range(target.length):
        c = lower(target.data[i])
        if c"a" <= c <= c"z" or (i and (c"0" <= c <= c"9" or c == c"+" or c == c"-" or c == c".")):
            continue
        if i and c == c":" and target.length - i > 2 and target.data[i + 1] == c"/" and target.data[i + 2] == c"/":
            return i
        return 0
    return 0


cdef inline uint32_t authority_length(Text rest) noexcept nogil:
    cdef uint32_t i
    for i in range(rest.length):
        if rest.data[i] == c"/" or rest.data[i] == c"?" or rest.data[i] == c"#":
            return i
    return rest.length


cdef inline Text without_user(Text authority) noexcept nogil:
    cdef uint32_t i = authority.length
    while i:
        i -= 1
        if authority.data[i] == c"@":
            return cut(authority, i + 1)
    return authority


cdef bint section_allocate(Budget* budget, Section* section, uint32_t text_length, uint32_t field_count) noexcept nogil
cdef Field* section_find(const Section* section, const char* lower_name, uint32_t length) noexcept nogil
cdef void target_facts(const Exchange* exchange, Facts* facts) noexcept nogil
cdef void exchange_facts(const Exchange* exchange, Facts* facts) noexcept nogil
cdef const char* incomplete_name(uint8_t incomplete) noexcept nogil
cdef const char* anomaly_name(int bit) noexcept nogil
cdef const char* grpc_streaming_name(uint8_t grpc) noexcept nogil
cdef uint32_t address_text(const uint8_t* address, uint8_t family, char* out) noexcept nogil
