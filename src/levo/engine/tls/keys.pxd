# Secrets of TLS connections, and what is derived from them.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.core.types cimport Budget

cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_CIPHER_CTX:
        pass

cdef enum SecretKind:
    MASTER_SECRET = 0
    CLIENT_HANDSHAKE = 1
    SERVER_HANDSHAKE = 2
    CLIENT_TRAFFIC = 3
    SERVER_TRAFFIC = 4
    SECRET_KINDS = 5

cdef enum TlsBounds:
    MOST_SECRET = 48
    KEY_BUCKETS = 4096          # a power of two
    MOST_PROCESSES = 256


ctypedef struct Secrets:
    # What a key log says of one connection. A length of 0: not said.
    Secrets* chain
    Secrets* younger
    uint8_t client_random[32]
    uint8_t lengths[5]
    uint8_t used                # a bit for each kind that opened, or was to open, records
    uint8_t octets[5][48]
    uint32_t processes[2]       # that had them: one end, or both; 0: not known


ctypedef struct Process:
    # What became of the connections of a process whose library told secrets.
    uint32_t id                 # 0: of all that found no room any more
    uint64_t connections        # whose secrets it had, captured or not
    uint64_t outcomes[11]       # those that were captured, by TlsOutcome; TLS_OPEN: those that are being read


ctypedef struct KeyTable:
    Secrets* buckets[4096]
    Secrets* oldest
    Secrets* newest
    uint32_t count
    uint32_t most               # past it the oldest is forgotten
    uint64_t received           # secrets that were offered: each is one of the following, or still held
    uint64_t used
    uint64_t unused             # forgotten before packets needed it, or known already
    uint64_t refused            # no secret by its length, or memory was refused
    Process processes[256]
    Process others              # of earlier processes
    uint32_t process_count
    uint32_t process_next       # to be forgotten for a new one
    uint32_t process_latest


ctypedef struct Opener:
    # Opens the records of one direction. ``context`` is NULL while there are no keys.
    EVP_CIPHER_CTX* context
    uint64_t sequence           # of the next record
    uint64_t explicit_nonce     # of the last record that was opened, where records carry one
    uint16_t suite
    uint8_t modern              # TLS 1.3
    uint8_t explicit_octets     # nonce octets in front of each record
    uint8_t iv[12]
    uint8_t secret[48]          # TLS 1.3: the traffic secret, from which the next one follows


cdef KeyTable* keys_new(uint32_t most) noexcept nogil
cdef void keys_free(KeyTable* table, Budget* budget) noexcept nogil
cdef bint keys_put(
    KeyTable* table, Budget* budget, const uint8_t* client_random, int kind,
    const uint8_t* secret, uint32_t length, uint32_t process) noexcept nogil
cdef Process* keys_process(KeyTable* table, uint32_t id) noexcept nogil
cdef const Secrets* keys_find(const KeyTable* table, const uint8_t* client_random) noexcept nogil
cdef void keys_used(KeyTable* table, const uint8_t* client_random, int kind) noexcept nogil
cdef bint suite_known(uint16_t suite, bint modern) noexcept nogil
cdef bint opener_modern(Opener* opener, Budget* budget, uint16_t suite, const uint8_t* secret) noexcept nogil
cdef bint opener_next(Opener* opener, Budget* budget) noexcept nogil
cdef bint opener_classic(
    Opener* opener, Budget* budget, uint16_t suite, const uint8_t* master, uint32_t master_length,
    const uint8_t* client_random, const uint8_t* server_random, bint client) noexcept nogil
cdef void opener_free(Opener* opener, Budget* budget) noexcept nogil
cdef bint opener_number(
    Opener* opener, const uint8_t* header, const uint8_t* body, uint32_t length, uint64_t* number,
    uint8_t* scratch) noexcept nogil
cdef uint32_t opener_overhead(const Opener* opener) noexcept nogil
cdef int64_t opener_open(
    Opener* opener, const uint8_t* header, const uint8_t* body, uint32_t length, uint64_t sequence,
    uint8_t* out) noexcept nogil
