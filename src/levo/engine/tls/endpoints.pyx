"""The table of encrypted endpoints, for their owners to see what stays hidden.

An endpoint is a server's address, port, name (SNI), ALPN and TLS version. Entries live as long as the engine,
so that counters only grow; the table is bounded, and connections to endpoints that find no room are counted
together. Certificate names are those that were seen first: resumed sessions show none.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from levo.engine.core.exchange cimport address_text
from levo.engine.core.memory cimport give_back, take
from levo.engine.tls.hello cimport TlsFacts
from levo.engine.core.types cimport Budget

VERSION_NAMES = {0x0300: "SSL 3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}
"""TLS versions by their number on the wire."""

OUTCOMES = {
    TLS_READ: "read",
    TLS_OTHER: "other",
    TLS_NO_SECRETS: "no_secrets",
    TLS_SECRET_LOST: "secret_lost",
    TLS_JOINED_LATE: "joined_late",
    TLS_SUITE: "suite",
    TLS_OUT_OF_STEP: "out_of_step",
    TLS_UNFINISHED: "unfinished",
    TLS_MEMORY: "memory",
    TLS_MALFORMED: "malformed",
}
"""Names of what becomes of connections; ``levo.ledger`` has their meanings."""


cdef EndpointTable* endpoints_new() noexcept nogil:
    """An empty table; NULL when memory is refused."""
    return <EndpointTable*>calloc(1, sizeof(EndpointTable))


cdef void endpoints_free(EndpointTable* table, Budget* budget) noexcept nogil:
    cdef uint32_t i
    if table == NULL:
        return
    for i in range(ENDPOINT_SLOTS):
        give_back(budget, table.slots[i], sizeof(Endpoint))
    free(table)


cdef inline uint32_t stir(uint32_t hash, const uint8_t* octets, uint32_t length) noexcept nogil:
    cdef uint32_t i
    for i in range(length):
        hash = (hash ^ octets[i]) * 16777619
    return hash


cdef bint same(
    const Endpoint* endpoint, const uint8_t* address, uint8_t family, uint16_t port, const TlsFacts* facts
) noexcept nogil:
    return (
        endpoint.port == port and endpoint.family == family and endpoint.version == facts.version
        and endpoint.name_length == facts.name_length and endpoint.alpn_length == facts.alpn_length
        and memcmp(endpoint.address, address, 16) == 0
        and memcmp(endpoint.name, facts.name, facts.name_length) == 0
        and memcmp(endpoint.alpn, facts.alpn, facts.alpn_length) == 0
    )


cdef Endpoint* endpoints_find(
    EndpointTable* table, Budget* budget, const uint8_t* address, uint8_t family, uint16_t port,
    const TlsFacts* facts,
) noexcept nogil:
    """The entry of an endpoint, made when it is new; the common one where there is no room."""
    cdef uint32_t hash = stir(stir(2166136261, address, 16), facts.name, facts.name_length)
    cdef Endpoint* endpoint
    cdef uint32_t at
    hash = stir(hash ^ <uint32_t>port << 8 ^ facts.version, facts.alpn, facts.alpn_length)
    at = (hash ^ hash >> 15) & (ENDPOINT_SLOTS - 1)
    while table.slots[at] != NULL:
        if same(table.slots[at], address, family, port, facts):
            return table.slots[at]
        at = (at + 1) & (ENDPOINT_SLOTS - 1)
    if table.count >= MOST_ENDPOINTS:
        return &table.others
    endpoint = <Endpoint*>take(budget, sizeof(Endpoint))
    if endpoint == NULL:
        return &table.others
    memset(endpoint, 0, sizeof(Endpoint))
    memcpy(endpoint.address, address, 16)
    endpoint.family = family
    endpoint.port = port
    endpoint.version = facts.version
    endpoint.name_length = facts.name_length
    endpoint.alpn_length = facts.alpn_length
    memcpy(endpoint.name, facts.name, facts.name_length)
    memcpy(endpoint.alpn, facts.alpn, facts.alpn_length)
    table.slots[at] = endpoint
    table.count += 1
    return endpoint


cdef void endpoint_names(Endpoint* endpoint, const TlsFacts* facts) noexcept nogil:
    """Note the certificate's names, once, where *facts* have any."""
    if endpoint.names_length == 0 and endpoint.port and facts.names_length:
        endpoint.names_length = facts.names_length
        memcpy(endpoint.names, facts.names, facts.names_length)


cdef dict outcomes_of(const uint64_t* outcomes):
    """Counts by the names of :data:`OUTCOMES`."""
    return {name: outcomes[<int>number] for number, name in OUTCOMES.items()}


cdef dict values_of(const Endpoint* endpoint, bint known):
    cdef char text[48]
    address = None
    if known:
        text[address_text(endpoint.address, endpoint.family, text)] = 0
        address = text.decode("ascii")
    names = endpoint.names[:endpoint.names_length].decode("ascii")
    return {
        "server_address": address,
        "server_port": endpoint.port if known else None,
        "server_name": endpoint.name[:endpoint.name_length].decode("ascii"),
        "alpn": endpoint.alpn[:endpoint.alpn_length].decode("ascii"),
        "version": VERSION_NAMES.get(endpoint.version, f"{endpoint.version:#06x}") if endpoint.version else "",
        "certificate_names": tuple(names.split(",")) if names else (),
        "connections": endpoint.connections,
        "decrypted_connections": endpoint.decrypted,
        "unread": {
            name: count for name, count in outcomes_of(endpoint.outcomes).items() if count and name != "read"},
        "bytes": endpoint.octets,
        "first_ns": endpoint.first_ns,
        "last_ns": endpoint.last_ns,
    }


cdef list endpoints_list(const EndpointTable* table):
    """All endpoints, most connections first; one entry with address None for those that found no room."""
    cdef uint32_t i
    cdef list found = [values_of(table.slots[i], True) for i in range(ENDPOINT_SLOTS) if table.slots[i] != NULL]
    found.sort(
        key=lambda each: (-each["connections"], each["server_address"], each["server_port"], each["server_name"])
    )
    if table.others.connections:
        found.append(values_of(&table.others, False))
    return found
