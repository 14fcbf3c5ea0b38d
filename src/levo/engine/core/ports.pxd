# What came by on each server port: a small table for diagnosis.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    PORT_SLOTS = 1024           # a power of two
    MOST_PORTS = 768            # entries; past it, those with the fewest packets are put together


cdef enum Named:
    # Protocols that are not read: bits of ``PortUse.protocols`` above those of enum Protocol.
    NAMED_NOTHING = 0
    NAMED_SSH = 16
    NAMED_FTP_SMTP = 17
    NAMED_IMAP = 18
    NAMED_POP3 = 19
    NAMED_MYSQL = 20
    NAMED_REDIS = 21
    NAMED_POSTGRESQL = 22
    NAMED_TLS = 3               # PROTOCOL_TLS, of a connection that did not begin with it


ctypedef struct PortUse:
    uint64_t packets
    uint64_t octets             # of TCP payload as captured
    uint64_t connections
    uint64_t exchanges          # finished, kept or not
    uint32_t protocols          # bit 1 << Protocol: some packet belonged to a connection of it; bit 1 << Named
    uint16_t port
    uint8_t used


ctypedef struct PortTable:
    PortUse slots[1024]
    PortUse others              # ports that had their entry taken away
    uint32_t count
    uint32_t last               # the slot that was asked for last


cdef PortTable* ports_new() noexcept nogil
cdef void ports_packet(PortTable* table, uint16_t port, uint8_t protocol, uint32_t octets, bint first) noexcept nogil
cdef void ports_named(PortTable* table, uint16_t port, int name) noexcept nogil
cdef void ports_exchange(PortTable* table, uint16_t port) noexcept nogil
cdef list ports_list(const PortTable* table, size_t most)
