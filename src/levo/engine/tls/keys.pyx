"""TLS secrets from a key log, the keys that follow from them, and opening records with those.

Suites: AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305, in TLS 1.3 (RFC 8446 sections 5.2, 7.1, 7.3) and TLS 1.2
(RFC 5246 sections 5, 6.3; RFC 5288; RFC 7905). Cryptography is libcrypto's.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from levo.engine.core.memory cimport give_back, take
from levo.engine.core.types cimport Budget
from levo.engine.tls.endpoints cimport TLS_OUTCOMES

cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct EVP_MD:
        pass
    EVP_CIPHER_CTX* EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX* context)
    int EVP_DecryptInit_ex(
        EVP_CIPHER_CTX* context, const EVP_CIPHER* cipher, void* engine, const unsigned char* key,
        const unsigned char* iv)
    int EVP_DecryptUpdate(
        EVP_CIPHER_CTX* context, unsigned char* out, int* out_length, const unsigned char* data, int length)
    int EVP_DecryptFinal_ex(EVP_CIPHER_CTX* context, unsigned char* out, int* out_length)
    int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX* context, int kind, int number, void* value)
    int EVP_EncryptInit_ex(
        EVP_CIPHER_CTX* context, const EVP_CIPHER* cipher, void* engine, const unsigned char* key,
        const unsigned char* iv)
    int EVP_EncryptUpdate(
        EVP_CIPHER_CTX* context, unsigned char* out, int* out_length, const unsigned char* data, int length)
    int EVP_EncryptFinal_ex(EVP_CIPHER_CTX* context, unsigned char* out, int* out_length)
    int EVP_CIPHER_CTX_set_padding(EVP_CIPHER_CTX* context, int padding)
    const EVP_CIPHER* EVP_aes_128_ecb()
    const EVP_CIPHER* EVP_aes_256_ecb()
    int EVP_CTRL_AEAD_GET_TAG
    const EVP_CIPHER* EVP_aes_128_gcm()
    const EVP_CIPHER* EVP_aes_256_gcm()
    const EVP_CIPHER* EVP_chacha20_poly1305()
    const EVP_MD* EVP_sha256()
    const EVP_MD* EVP_sha384()
    int EVP_CTRL_AEAD_SET_TAG
    void OPENSSL_cleanse(void* data, size_t length)

cdef extern from "openssl/hmac.h" nogil:
    unsigned char* HMAC(
        const EVP_MD* digest, const void* key, int key_length, const unsigned char* data, size_t length,
        unsigned char* out, unsigned int* out_length)

cdef enum:
    AES_128 = 1
    AES_256 = 2
    CHACHA = 3

cdef enum:
    TAG = 16
    CONTEXT_OCTETS = 1536       # of a cipher context, about, for the budget


# The key log.

cdef KeyTable* keys_new(uint32_t most) noexcept nogil:
    """An empty table of at most *most* connections; NULL when memory is refused."""
    cdef KeyTable* table = <KeyTable*>calloc(1, sizeof(KeyTable))
    if table != NULL:
        table.most = most if most else 1
    return table


cdef void keys_free(KeyTable* table, Budget* budget) noexcept nogil:
    if table == NULL:
        return
    while table.oldest != NULL:
        forget_oldest(table, budget)
    free(table)


cdef inline uint32_t bucket_of(const uint8_t* client_random) noexcept nogil:
    # Behind the first four octets, which old clients filled with the time.
    return (<uint32_t>client_random[7] << 8 | client_random[8]) & (KEY_BUCKETS - 1)


cdef void forget_oldest(KeyTable* table, Budget* budget) noexcept nogil:
    cdef Secrets* gone = table.oldest
    cdef int kind
    cdef Secrets** at = &table.buckets[bucket_of(gone.client_random)]
    while at[0] != gone:
        at = &at[0].chain
    at[0] = gone.chain
    table.oldest = gone.younger
    if table.oldest == NULL:
        table.newest = NULL
    table.count -= 1
    for kind in range(SECRET_KINDS):
        table.unused += gone.lengths[kind] != 0 and not gone.used >> kind & 1
    OPENSSL_cleanse(gone, sizeof(Secrets))
    give_back(budget, gone, sizeof(Secrets))


cdef Secrets* find(const KeyTable* table, const uint8_t* client_random) noexcept nogil:
    cdef Secrets* found = table.buckets[bucket_of(client_random)]
    while found != NULL and memcmp(found.client_random, client_random, 32) != 0:
        found = found.chain
    return found


cdef const Secrets* keys_find(const KeyTable* table, const uint8_t* client_random) noexcept nogil:
    """The secrets of one connection, valid until the next ``keys_put``; NULL when none are known."""
    return find(table, client_random)


cdef void keys_used(KeyTable* table, const uint8_t* client_random, int kind) noexcept nogil:
    """Count that a secret is being used, once."""
    cdef Secrets* found = find(table, client_random)
    if found != NULL and not found.used >> kind & 1:
        found.used |= <uint8_t>(1 << kind)
        table.used += 1


cdef bint keys_put(
    KeyTable* table, Budget* budget, const uint8_t* client_random, int kind,
    const uint8_t* secret, uint32_t length, uint32_t process,
) noexcept nogil:
    """Note a secret; the latest one counts, of traffic secrets the first one. False when it cannot be one, or
    memory is refused.

    OpenSSL logs the secrets behind each KeyUpdate as well, perhaps before the packets of the first ones are read.
    Records have all that is needed for those: the next secret follows from the last one.
    *process*: the id of the process that has it; 0: not known.
    """
    cdef Secrets* found
    table.received += 1
    if length > MOST_SECRET or length < 32 or kind < 0 or kind >= SECRET_KINDS:
        table.refused += 1
        return False
    found = find(table, client_random)
    if found == NULL:
        if table.count >= table.most:
            forget_oldest(table, budget)
        found = <Secrets*>take(budget, sizeof(Secrets))
        if found == NULL:
            table.refused += 1
            return False
        memset(found, 0, sizeof(Secrets))
        memcpy(found.client_random, client_random, 32)
        found.chain = table.buckets[bucket_of(client_random)]
        table.buckets[bucket_of(client_random)] = found
        if table.newest != NULL:
            table.newest.younger = found
        else:
            table.oldest = found
        table.newest = found
        table.count += 1
    if found.lengths[kind]:
        table.unused += 1                         # the other end logged it, too
    if found.lengths[kind] == 0 or kind < CLIENT_TRAFFIC:
        found.lengths[kind] = <uint8_t>length
        memcpy(found.octets[kind], secret, length)
    if process and found.processes[0] != process and found.processes[1] == 0:
        found.processes[found.processes[0] != 0] = process
        keys_process(table, process).connections += 1
    return True


cdef Process* keys_process(KeyTable* table, uint32_t id) noexcept nogil:
    """The counts of a process; a new one takes the place of the one that came first, where there is no room."""
    cdef Process* found = &table.processes[table.process_latest]
    cdef uint32_t i
    if found.id == id:
        return found
    for i in range(table.process_count):
        if table.processes[i].id == id:
            table.process_latest = i
            return &table.processes[i]
    if table.process_count < MOST_PROCESSES:
        table.process_latest = table.process_count
        table.process_count += 1
        found = &table.processes[table.process_latest]
    else:
        table.process_latest = table.process_next
        table.process_next = (table.process_next + 1) % MOST_PROCESSES
        found = &table.processes[table.process_latest]
        table.others.connections += found.connections
        for i in range(TLS_OUTCOMES):
            table.others.outcomes[i] += found.outcomes[i]
    memset(found, 0, sizeof(Process))
    found.id = id
    return found


# Suites.

cdef int cipher_of(uint16_t suite) noexcept nogil:
    # IANA's registry of TLS cipher suites; 0: none that is known.
    if suite in (0x1301, 0x009C, 0x009E, 0x00A2, 0x00A8, 0x00AA, 0xC02B, 0xC02F, 0xD001):
        return AES_128
    if suite in (0x1302, 0x009D, 0x009F, 0x00A3, 0x00A9, 0x00AB, 0xC02C, 0xC030, 0xD002):
        return AES_256
    if suite in (0x1303, 0xCCA8, 0xCCA9, 0xCCAA, 0xCCAB, 0xCCAC, 0xCCAD):
        return CHACHA
    return 0


cdef bint suite_known(uint16_t suite, bint modern) noexcept nogil:
    """Whether records of *suite* can be opened (*modern*: TLS 1.3)."""
    return cipher_of(suite) != 0 and (suite >> 8 == 0x13) == modern


cdef inline const EVP_MD* digest_of(uint16_t suite) noexcept nogil:
    return EVP_sha384() if cipher_of(suite) == AES_256 else EVP_sha256()


cdef inline uint32_t digest_length(uint16_t suite) noexcept nogil:
    return 48 if cipher_of(suite) == AES_256 else 32


cdef inline uint32_t key_length(uint16_t suite) noexcept nogil:
    return 16 if cipher_of(suite) == AES_128 else 32


# Key schedules.

cdef bint expand_label(
    uint16_t suite, const uint8_t* secret, const char* label, uint32_t label_length, uint8_t* out, uint32_t length
) noexcept nogil:
    """HKDF-Expand-Label without context (RFC 8446 section 7.1), at most one digest long."""
    cdef uint8_t info[32]
    cdef uint8_t block[64]
    cdef unsigned int made = 0
    info[0] = 0
    info[1] = <uint8_t>length
    info[2] = <uint8_t>(6 + label_length)
    memcpy(info + 3, b"tls13 ", 6)
    memcpy(info + 9, label, label_length)
    info[9 + label_length] = 0
    info[10 + label_length] = 1
    if HMAC(digest_of(suite), secret, <int>digest_length(suite), info, 11 + label_length, block, &made) == NULL:
        return False
    memcpy(out, block, length)
    OPENSSL_cleanse(block, sizeof(block))
    return True


cdef bint set_key(Opener* opener, Budget* budget, const uint8_t* key) noexcept nogil:
    cdef int kind = cipher_of(opener.suite)
    cdef const EVP_CIPHER* cipher
    if opener.context == NULL:
        opener.context = EVP_CIPHER_CTX_new()
        if opener.context == NULL:
            budget.refused += 1
            return False
        budget.used += CONTEXT_OCTETS
    if kind == AES_128:
        cipher = EVP_aes_128_gcm()
    elif kind == AES_256:
        cipher = EVP_aes_256_gcm()
    else:
        cipher = EVP_chacha20_poly1305()
    opener.sequence = 0
    if EVP_DecryptInit_ex(opener.context, cipher, NULL, key, NULL) != 1:
        opener_free(opener, budget)
        return False
    return True


cdef bint opener_modern(Opener* opener, Budget* budget, uint16_t suite, const uint8_t* secret) noexcept nogil:
    """Set up for TLS 1.3 records under a traffic secret, which is one digest long (RFC 8446 section 7.3)."""
    cdef uint8_t key[32]
    cdef bint made
    opener.suite = suite
    opener.modern = 1
    opener.explicit_octets = 0
    if secret != opener.secret:
        memcpy(opener.secret, secret, digest_length(suite))
    made = (expand_label(suite, opener.secret, b"key", 3, key, key_length(suite))
            and expand_label(suite, opener.secret, b"iv", 2, opener.iv, 12)
            and set_key(opener, budget, key))
    OPENSSL_cleanse(key, sizeof(key))
    return made


cdef bint opener_next(Opener* opener, Budget* budget) noexcept nogil:
    """The sender has updated its keys (RFC 8446 section 7.2)."""
    cdef uint8_t secret[48]
    if not opener.modern or not expand_label(
        opener.suite, opener.secret, b"traffic upd", 11, secret, digest_length(opener.suite)
    ):
        return False
    return opener_modern(opener, budget, opener.suite, secret)


cdef bint opener_classic(
    Opener* opener, Budget* budget, uint16_t suite, const uint8_t* master, uint32_t master_length,
    const uint8_t* client_random, const uint8_t* server_random, bint client,
) noexcept nogil:
    """Set up for the records one side of TLS 1.2 writes: key expansion of RFC 5246 section 6.3."""
    cdef uint8_t seed[77]
    cdef uint8_t chain[64 + 77]     # A(i), then the seed
    cdef uint8_t block[64 * 3]
    cdef uint32_t key_size = key_length(suite)
    cdef uint32_t iv_size = 12 if cipher_of(suite) == CHACHA else 4
    cdef uint32_t size = digest_length(suite)
    cdef uint32_t made = 0
    cdef unsigned int written = 0
    cdef const EVP_MD* digest = digest_of(suite)
    cdef bint well
    memcpy(seed, b"key expansion", 13)
    memcpy(seed + 13, server_random, 32)
    memcpy(seed + 45, client_random, 32)
    if HMAC(digest, master, <int>master_length, seed, 77, chain, &written) == NULL:
        return False
    while made < 2 * (key_size + iv_size):
        memcpy(chain + size, seed, 77)
        if HMAC(digest, master, <int>master_length, chain, size + 77, block + made, &written) == NULL:
            return False
        made += size
        if HMAC(digest, master, <int>master_length, chain, size, chain + size, &written) == NULL:
            return False
        memcpy(chain, chain + size, size)
    opener.suite = suite
    opener.modern = 0
    opener.explicit_octets = 0 if cipher_of(suite) == CHACHA else 8
    memcpy(opener.iv, block + 2 * key_size + (0 if client else iv_size), iv_size)
    well = set_key(opener, budget, block + (0 if client else key_size))
    OPENSSL_cleanse(block, sizeof(block))
    return well


cdef void opener_free(Opener* opener, Budget* budget) noexcept nogil:
    if opener.context != NULL:
        EVP_CIPHER_CTX_free(opener.context)
        budget.used -= CONTEXT_OCTETS
    OPENSSL_cleanse(opener, sizeof(Opener))


cdef inline uint64_t number_at(const uint8_t* at) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(8):
        value = value << 8 | at[i]
    return value


cdef bint opener_number(
    Opener* opener, const uint8_t* header, const uint8_t* body, uint32_t length, uint64_t* number, uint8_t* scratch,
) noexcept nogil:
    """Which number a record has, after a hole of any size; False where it does not show. Still to be authenticated.

    TLS 1.2 with AES-GCM: the nonce that the record carries has been counted up like its number, by every known
    library. TLS 1.3 with AES-GCM: the number is in the nonce alone, and the tag is GHASH of header and body, XOR the
    encrypted nonce (NIST SP 800-38D, section 7.1). With any nonce of ours the same GHASH follows, and so the record's
    nonce. *scratch* has room for *length*.
    """
    cdef uint8_t key[32]
    cdef bint found = False
    if length < TAG + opener.explicit_octets or opener.context == NULL or cipher_of(opener.suite) == CHACHA:
        return False
    if not opener.modern:
        number[0] = opener.sequence - 1 + number_at(body) - opener.explicit_nonce
        return True
    if expand_label(opener.suite, opener.secret, b"key", 3, key, key_length(opener.suite)):
        found = solve_number(opener, key, header, body, length - TAG, number, scratch)
    OPENSSL_cleanse(key, sizeof(key))
    return found


cdef bint solve_number(
    Opener* opener, const uint8_t* key, const uint8_t* header, const uint8_t* body, uint32_t size, uint64_t* number,
    uint8_t* scratch,
) noexcept nogil:
    cdef bint small = cipher_of(opener.suite) == AES_128
    cdef EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new()
    cdef uint8_t first[16]          # the block that is encrypted into the tag: nonce, then 1
    cdef uint8_t ours[16]
    cdef uint8_t tag[16]
    cdef int written = 0
    cdef int i
    cdef bint well
    if context == NULL:
        return False
    memset(first, 0, 16)
    memcpy(first, opener.iv, 12)
    first[15] = 1
    # What encrypts to the body under our nonce, and the tag of that.
    well = (EVP_DecryptInit_ex(opener.context, NULL, NULL, NULL, opener.iv) == 1
            and EVP_DecryptUpdate(opener.context, scratch, &written, body, <int>size) == 1
            and EVP_EncryptInit_ex(context, EVP_aes_128_gcm() if small else EVP_aes_256_gcm(), NULL, key,
                                   opener.iv) == 1
            and EVP_EncryptUpdate(context, NULL, &written, header, 5) == 1
            and EVP_EncryptUpdate(context, scratch, &written, scratch, <int>size) == 1
            and EVP_EncryptFinal_ex(context, ours, &written) == 1
            and EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1
            and EVP_EncryptInit_ex(context, EVP_aes_128_ecb() if small else EVP_aes_256_ecb(), NULL, key, NULL) == 1
            and EVP_CIPHER_CTX_set_padding(context, 0) == 1
            and EVP_EncryptUpdate(context, ours, &written, first, 16) == 1)
    for i in range(16):
        tag[i] ^= ours[i] ^ body[size + <uint32_t>i]
    well = (well and EVP_DecryptInit_ex(context, EVP_aes_128_ecb() if small else EVP_aes_256_ecb(), NULL, key,
                                        NULL) == 1
            and EVP_CIPHER_CTX_set_padding(context, 0) == 1
            and EVP_DecryptUpdate(context, first, &written, tag, 16) == 1)
    EVP_CIPHER_CTX_free(context)
    if not well or memcmp(first, opener.iv, 4) != 0 or memcmp(first + 12, b"\0\0\0\1", 4) != 0:
        return False
    number[0] = number_at(first + 4) ^ number_at(opener.iv + 4)
    return True


cdef uint32_t opener_overhead(const Opener* opener) noexcept nogil:
    """Octets of a record's body that are no content."""
    return TAG + (1 if opener.modern else opener.explicit_octets)


cdef int64_t opener_open(
    Opener* opener, const uint8_t* header, const uint8_t* body, uint32_t length, uint64_t sequence, uint8_t* out,
) noexcept nogil:
    """Open one record into *out* (room for *length*) as number *sequence*; its plaintext's length, or -1.

    *header*: the record's five octets. In TLS 1.3 padding and content type are still at the plaintext's end.
    """
    cdef uint8_t nonce[12]
    cdef uint8_t extra[13]
    cdef uint32_t extra_length = 5
    cdef uint32_t size, i
    cdef int written = 0
    cdef int total = 0
    if opener.context == NULL or length < TAG + opener.explicit_octets:
        return -1
    size = length - TAG - opener.explicit_octets
    memcpy(nonce, opener.iv, 12)
    if opener.explicit_octets:
        memcpy(nonce + 4, body, 8)
    else:
        for i in range(8):
            nonce[11 - i] ^= <uint8_t>(sequence >> (8 * i))
    if opener.modern:
        memcpy(extra, header, 5)
    else:
        for i in range(8):
            extra[7 - i] = <uint8_t>(sequence >> (8 * i))
        memcpy(extra + 8, header, 3)
        extra[11] = <uint8_t>(size >> 8)
        extra[12] = <uint8_t>size
        extra_length = 13
    body += opener.explicit_octets
    if EVP_DecryptInit_ex(opener.context, NULL, NULL, NULL, nonce) != 1:
        return -1
    if EVP_DecryptUpdate(opener.context, NULL, &written, extra, <int>extra_length) != 1:
        return -1
    if size and EVP_DecryptUpdate(opener.context, out, &total, body, <int>size) != 1:
        return -1
    if EVP_CIPHER_CTX_ctrl(opener.context, EVP_CTRL_AEAD_SET_TAG, TAG, <void*>(body + size)) != 1:
        return -1
    if EVP_DecryptFinal_ex(opener.context, out + total, &written) != 1:
        return -1
    if opener.explicit_octets:
        opener.explicit_nonce = number_at(nonce + 4)
    return total + written
