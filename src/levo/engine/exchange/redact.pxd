# Masking by field name: what is compiled once and read by every batch.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.exchange.headers cimport HeaderNames


cdef extern from "levo/engine/exchange/names.h" nogil:
    enum:
        ENDING_WORDS "LEVO_ENDING_WORDS"
        ENDS_NAME "LEVO_ENDS_NAME"
        CODES_NAME "LEVO_CODES_NAME"
    const uint8_t* in_pairs "levo_in_pairs"
    uint64_t word_at "levo_load64" (const uint8_t* data)
    unsigned int ending "levo_ending" (uint64_t word)
    size_t next_member "levo_next_member" (
        const uint64_t* endings, const uint8_t* data, size_t at, size_t length, int* equals)


cdef enum:
    LONGEST_NAME = 256


cdef enum NameKind:
    NOT_NAMED = 0
    NAMED_BY_USER = 1         # hides whole members
    NAMED_BY_DEFAULT = 2      # names, truth values and null inside of a member stay
    NAMED_IN_URLS = 3         # a credential in any URL
    NAMED_IN_REDIRECTS = 4    # ... beside what makes it one
    NAMED_BESIDE = 5          # "value": hidden where a member beside it, "name" or "key", says one of the names


ctypedef struct FieldName:
    const uint8_t* data       # ASCII letters lowered; owned by a Redactor
    NameKind kind


ctypedef struct FieldNames:
    FieldName* names          # by length
    size_t count
    size_t members            # so many are named in bodies
    uint32_t longest
    uint32_t begin[LONGEST_NAME + 2]         # by length: the place of its first name
    uint32_t ends[LONGEST_NAME + 1]          # by length: a bit for each last octet modulo 32
    uint8_t first[256]        # 1: some name begins with this octet, in either case
    uint64_t endings[ENDING_WORDS]        # a bit for each ``ending`` of a name in bodies
    bint unfiltered           # some name in bodies has no such ending
    const HeaderNames* headers    # what "name" may say beside the names here


ctypedef struct Selection:
    FieldNames names
    HeaderNames headers       # fields that hold credentials or URLs; may be any where names are looked for everywhere
    bint everywhere           # names are looked for in every header field
