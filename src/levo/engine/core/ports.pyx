"""Packets, octets, protocols and exchanges by server port, for diagnosis: why is there no traffic?

The server's port is the one the connection's client talks to, the smaller one as long as nobody knows. The
table is bounded: when it is full, ports with fewer packets than the average give up their entry, and their
counts go into one sum.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from levo.engine.core.types cimport (
    PROTOCOL_FASTCGI,
    PROTOCOL_HTTP1,
    PROTOCOL_HTTP2,
    PROTOCOL_OPAQUE,
    PROTOCOL_TLS,
    PROTOCOL_WEBSOCKET,
)


cdef PortTable* ports_new() noexcept nogil:
    """An empty table, to be freed with ``free``; NULL when memory is refused."""
    return <PortTable*>calloc(1, sizeof(PortTable))


cdef inline uint32_t place_of(const PortTable* table, uint16_t port) noexcept nogil:
    # Consecutive ports, as clients use them, are spread.
    cdef uint32_t at = (<uint32_t>port * 40503) >> 3 & (PORT_SLOTS - 1)
    while table.slots[at].used and table.slots[at].port != port:
        at = (at + 1) & (PORT_SLOTS - 1)
    return at


cdef void add(PortUse* into, const PortUse* other) noexcept nogil:
    into.packets += other.packets
    into.octets += other.octets
    into.connections += other.connections
    into.exchanges += other.exchanges
    into.protocols |= other.protocols


cdef void make_room(PortTable* table) noexcept nogil:
    cdef PortTable* old = ports_new()
    cdef uint64_t total = 0
    cdef uint64_t average
    cdef uint32_t i, at
    if old == NULL:
        return
    old[0] = table[0]
    for i in range(PORT_SLOTS):
        if old.slots[i].used:
            total += old.slots[i].packets
    average = total // old.count
    memset(&table.slots, 0, sizeof(table.slots))
    table.count = 0
    for i in range(PORT_SLOTS):
        if not old.slots[i].used:
            continue
        # The average itself goes as well: where all are equal, all must go.
        if old.slots[i].packets > average:
            at = place_of(table, old.slots[i].port)
            table.slots[at] = old.slots[i]
            table.count += 1
        else:
            add(&table.others, &old.slots[i])
    free(old)


cdef inline PortUse* entry(PortTable* table, uint16_t port) noexcept nogil:
    # Nearly always the port of the packet before.
    cdef PortUse* last = &table.slots[table.last]
    return last if last.port == port and last.used else find_entry(table, port)


cdef PortUse* find_entry(PortTable* table, uint16_t port) noexcept nogil:
    cdef uint32_t at = place_of(table, port)
    if not table.slots[at].used:
        if table.count >= MOST_PORTS:
            make_room(table)
            if table.count >= MOST_PORTS:
                return &table.others
            at = place_of(table, port)
        table.slots[at].used = 1
        table.slots[at].port = port
        table.count += 1
    table.last = at
    return &table.slots[at]


cdef void ports_packet(PortTable* table, uint16_t port, uint8_t protocol, uint32_t octets, bint first) noexcept nogil:
    """Count one packet of a connection to *port*; *first* of its connection."""
    cdef PortUse* use = entry(table, port)
    use.packets += 1
    use.octets += octets
    use.connections += first
    use.protocols |= <uint32_t>1 << protocol


cdef void ports_named(PortTable* table, uint16_t port, int name) noexcept nogil:
    """A connection to *port* began as protocol *name* does, one of ``Named``."""
    entry(table, port).protocols |= <uint32_t>1 << name


cdef void ports_exchange(PortTable* table, uint16_t port) noexcept nogil:
    entry(table, port).exchanges += 1


cdef tuple names_of(uint32_t protocols):
    cdef list names = []
    for number, name in (
        (PROTOCOL_HTTP1, "http/1"), (PROTOCOL_HTTP2, "http/2"), (PROTOCOL_WEBSOCKET, "websocket"),
        (PROTOCOL_FASTCGI, "fastcgi"), (PROTOCOL_TLS, "tls"), (NAMED_SSH, "ssh"), (NAMED_FTP_SMTP, "ftp-smtp"),
        (NAMED_IMAP, "imap"), (NAMED_POP3, "pop3"), (NAMED_MYSQL, "mysql"), (NAMED_REDIS, "redis"),
        (NAMED_POSTGRESQL, "postgresql"), (PROTOCOL_OPAQUE, "other"),
    ):
        if protocols >> number & 1:
            names.append(name)
    return tuple(names)


cdef dict values_of(const PortUse* use, port):
    return {
        "port": port,
        "packets": use.packets,
        "bytes": use.octets,
        "connections": use.connections,
        "exchanges": use.exchanges,
        "protocols": names_of(use.protocols),
    }


cdef list ports_list(const PortTable* table, size_t most):
    """The *most* ports with the most packets, then one entry with port None for all others that had any."""
    cdef uint32_t i
    cdef PortUse others = table.others
    cdef list order = sorted(
        [(-<object>table.slots[i].packets, table.slots[i].port, i) for i in range(PORT_SLOTS) if table.slots[i].used]
    )
    cdef list found = [values_of(&table.slots[<uint32_t>at], port) for _, port, at in order[:most]]
    for _, _, at in order[most:]:
        add(&others, &table.slots[<uint32_t>at])
    if others.packets or others.exchanges:
        found.append(values_of(&others, None))
    return found
