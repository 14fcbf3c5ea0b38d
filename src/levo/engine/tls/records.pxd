# TLS on one connection: what its handshake says, and its records.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.proto.protocol cimport Protocol
from levo.engine.tls.endpoints cimport Endpoint, EndpointTable
from levo.engine.tls.hello cimport TlsFacts
from levo.engine.tls.keys cimport KeyTable, Opener
from levo.engine.core.types cimport Budget, Buffer

cdef enum TlsStage:
    STAGE_HELLO = 0             # reading the handshake
    STAGE_SHUT = 1              # nothing more can be read: octets are counted
    STAGE_SEALED = 2            # records are opened, or wait for their keys

# Asked for secrets that have come up since; puts them into the engine's table. *again*: it was asked just before, so
# only what costs nothing is asked now.
ctypedef void (*AskKeys)(void* context, bint again) noexcept nogil


ctypedef struct TlsSide:
    Buffer message              # handshake message that is being collected
    uint32_t message_left       # octets of it still to come
    Buffer record               # encrypted record that is being collected
    Buffer held                 # octets that wait for keys, whole records from their first header on
    int64_t held_offset         # of ``held`` in the direction's byte stream
    int64_t held_ns             # since when they wait
    uint64_t lost_octets        # octets since the last record that was opened, while ``lost``
    Opener opener
    uint32_t left               # octets left of the record
    uint8_t header[5]
    uint8_t have                # octets of ``header``
    uint8_t message_kind
    uint8_t message_have        # octets of the message's header
    uint8_t sealed              # records are encrypted from now on
    uint8_t ended
    uint8_t traffic             # TLS 1.3: the handshake's keys are done with
    uint8_t opened              # a record was opened with the present keys
    uint8_t damaged             # octets of the present record were lost
    uint8_t lost                # it is unknown which record comes next
    uint8_t failures            # searches for the next record that found none


ctypedef struct Tls:
    Endpoint* endpoint          # NULL until the handshake is known
    TlsFacts* facts             # NULL once nobody needs them
    uint64_t early              # octets seen before the endpoint was known
    int64_t first_ns
    uint8_t stage               # TlsStage
    uint8_t late_ends           # directions that ended while octets waited for keys, a bit each
    uint8_t speaks              # content was passed on
    uint8_t opened              # a record was opened
    uint8_t outcome             # TlsOutcome
    uint32_t processes[2]       # whose secrets it is read with; 0: not known
    TlsSide sides[2]


ctypedef struct TlsTable:
    # What an engine knows of TLS.
    EndpointTable* endpoints
    KeyTable* keys
    AskKeys ask                 # NULL: nobody to ask
    void* ask_context
    int64_t asked_ns            # when it was last asked, while secrets may come up late
    int64_t wait_ns             # so long secrets may come up later than their connection; 0: they do not
    int64_t held                # octets that wait for them, of all connections
    uint64_t outcomes[11]       # connections by TlsOutcome, TLS_OPEN those that have none yet
    uint8_t plain[18432]        # one record, opened


cdef TlsTable* tls_new(uint32_t most_secrets) noexcept nogil
cdef void tls_delete(TlsTable* table, Budget* budget) noexcept nogil
cdef const Protocol* tls_protocol() noexcept nogil
