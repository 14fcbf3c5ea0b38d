# Exchange records: life, footprint, look-up, derived facts, masking of credentials.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free

from levo.engine.core.memory cimport buffer_free, clear, give_back, section_free, take
from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Budget, Exchange, Field, Message, Section, Span


cdef extern from *:
    """
    /* The first octets only: the processor follows a run that was begun. */
    static inline void levo_fetch(const void *at, size_t size) {
        size_t i, most = size < 1024 ? size : 1024;
        for (i = 0; i < most; i += 64) __builtin_prefetch((const char *)at + i);
    }
    """
    void fetch "levo_fetch" (const void* at, size_t size) noexcept nogil


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
    """Free the exchange and all it holds; NULL is allowed. Links to neighbours are the caller's."""
    if exchange != NULL:
        message_free(budget, &exchange.request)
        message_free(budget, &exchange.response)
        give_back(budget, exchange, sizeof(Exchange))


cdef inline int64_t exchange_footprint(const Exchange* exchange) noexcept nogil:
    """Octets that the exchange has taken from its budget, counted afresh."""
    return (<int64_t>sizeof(Exchange)
            + exchange.request.head.allocated + exchange.request.trailers.allocated
            + exchange.request.body.capacity
            + exchange.response.head.allocated + exchange.response.trailers.allocated
            + exchange.response.body.capacity)


cdef inline void fetch_ahead(const Exchange* exchange) noexcept nogil:
    """Have the memory of the exchanges behind *exchange* brought near: another core has written it."""
    cdef const Exchange* after = exchange.next
    if after == NULL:
        return
    fetch(after.request.head.text, after.request.head.allocated)
    fetch(after.request.body.data, after.request.body.length)
    fetch(after.response.head.text, after.response.head.allocated)
    fetch(after.response.body.data, after.response.body.length)
    if after.next != NULL:
        fetch(after.next, sizeof(Exchange))


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


cdef bint section_allocate(Budget* budget, Section* section, uint32_t text_length, uint32_t field_count) noexcept nogil
cdef Field* section_find(const Section* section, const char* lower_name, uint32_t length) noexcept nogil
cdef void target_facts(const Exchange* exchange, Facts* facts) noexcept nogil
cdef void exchange_facts(const Exchange* exchange, Facts* facts) noexcept nogil
cdef const char* incomplete_name(uint8_t incomplete) noexcept nogil
cdef const char* finding_name(int bit) noexcept nogil
cdef const char* grpc_streaming_name(uint8_t grpc) noexcept nogil
cdef uint32_t address_text(const uint8_t* address, uint8_t family, char* out) noexcept nogil


cdef enum:
    LONG_NAME = 63


cdef enum HeaderKind:
    # What of a header field's value stays when it is hidden.
    HEADER_OTHER = 0          # not to be hidden
    HEADER_WHOLE = 1          # nothing
    HEADER_SCHEME = 2         # the authentication scheme
    HEADER_COOKIE = 3         # names
    HEADER_SET_COOKIE = 4     # name and attributes
    HEADER_SUBPROTOCOLS = 5   # what is no token


ctypedef struct HeaderName:
    const uint8_t* data       # lower-case
    uint32_t length
    HeaderKind kind


ctypedef struct HeaderNames:
    # Names of header fields to look for, compiled once. Fastest when sorted by length.
    HeaderName* names
    size_t count
    uint32_t ends[64]         # by length (63: that or longer), a bit for each last octet modulo 32
    uint32_t starts[64]       # ... for each first octet
    uint32_t begin[64]        # by length: names from this place on ...
    uint32_t stop[64]         # ... to before this one; 0: none


cdef inline bint header_may_be(const HeaderNames* names, const Section* section, const Field* field) noexcept nogil:
    """Whether the name of *field* has the length and last octet of one of *names*, or a blank at its end."""
    cdef uint32_t length = field.name.length
    cdef uint8_t last
    if not length or field.name.at > section.text_length or length > section.text_length - field.name.at:
        return False
    last = section.text[field.name.at + length - 1]
    return last <= 32 or names.ends[length if length < LONG_NAME else LONG_NAME] >> (last & 31) & 1


cdef void header_names_add(HeaderNames* names, size_t at, const uint8_t* data, uint32_t length) noexcept nogil
cdef HeaderKind header_kind(const HeaderNames* names, const Section* section, const Field* field) noexcept nogil
cdef bint mask_header(HeaderKind kind, Text value) noexcept nogil
cdef uint64_t mask_target_users(Exchange* exchange) noexcept nogil
cdef uint64_t mask_credentials(Exchange* exchange, const HeaderNames* names) noexcept nogil
cdef uint64_t mask_users(uint8_t* data, size_t length) noexcept nogil
