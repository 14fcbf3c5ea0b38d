/* The first look for names, in heads and in bodies: what cannot have one costs a few instructions.
 *
 * A member's name is told by the last five octets before its closing quote; the exact look at those that pass is in
 * redact.pyx. An escape near the end passes, so names need not be unescaped here.
 */
#ifndef LEVO_EXCHANGE_NAMES_H
#define LEVO_EXCHANGE_NAMES_H
#include "levo/engine/core/output.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(LEVO_NO_SSE2)
#define LEVO_SSE2
#include <immintrin.h>
#endif

enum { LEVO_ENDING_WORDS = 64, LEVO_KEY_WORDS = 64, LEVO_ENDS_NAME = 1, LEVO_CODES_NAME = 2 };

/* What ends the name of a parameter when read backwards from its "=", and what needs the exact look: encoding
   (%, +) and the parts of nested names. */
static const uint8_t levo_in_pairs[256] = {
    ['&'] = LEVO_ENDS_NAME, ['?'] = LEVO_ENDS_NAME, [';'] = LEVO_ENDS_NAME, ['='] = LEVO_ENDS_NAME,
    ['#'] = LEVO_ENDS_NAME, [' '] = LEVO_ENDS_NAME, ['\t'] = LEVO_ENDS_NAME, ['\r'] = LEVO_ENDS_NAME,
    ['\n'] = LEVO_ENDS_NAME, ['"'] = LEVO_ENDS_NAME, ['\''] = LEVO_ENDS_NAME, ['<'] = LEVO_ENDS_NAME,
    ['>'] = LEVO_ENDS_NAME, [','] = LEVO_ENDS_NAME, ['{'] = LEVO_ENDS_NAME, ['\\'] = LEVO_ENDS_NAME,
    ['%'] = LEVO_CODES_NAME, ['+'] = LEVO_CODES_NAME, ['['] = LEVO_CODES_NAME, [']'] = LEVO_CODES_NAME,
    ['.'] = LEVO_CODES_NAME,
};

/* Where in a table of LEVO_KEY_WORDS words the name of a header field is: from its length and three of its octets, whose
   bit 32 does not count. *length* is not 0. */
static inline unsigned levo_header_key(const uint8_t *name, uint32_t length) {
    uint32_t key = length << 24 | (uint32_t)name[0] << 16 | (uint32_t)name[length - 1] << 8 | name[length >> 1];
    return (key | 0x202020) * 0x9E3779B1u >> 20;
}

/* Where in a table of LEVO_ENDING_WORDS words the name is that ends with *word*, its last octet the highest. Letters count
   in any case. Before a name of three octets stands its quote, and before that anything. */
static inline unsigned levo_ending(uint64_t word) {
    uint64_t last = (word | 0x2020202020202020) >> 24;
    if ((last >> 8 & 0xFF) == '"') last &= ~(uint64_t)0xFF;
    return (unsigned)(last * 0x9E3779B97F4A7C15 >> 52);
}

static inline int levo_is_space(uint8_t octet) {
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

/* Where in 64 octets ':' and '=' are, a bit each. */
#if defined(LEVO_SSE2)
static inline __m128i levo_equal(const uint8_t *data) {
    __m128i octets = _mm_loadu_si128((const __m128i *)data);
    return _mm_or_si128(_mm_cmpeq_epi8(octets, _mm_set1_epi8(':')), _mm_cmpeq_epi8(octets, _mm_set1_epi8('=')));
}
static inline uint64_t levo_marks(const uint8_t *data) {
    __m128i a = levo_equal(data), b = levo_equal(data + 16), c = levo_equal(data + 32), d = levo_equal(data + 48);
    if (!_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d)))) return 0;
    return (uint64_t)(uint32_t)(_mm_movemask_epi8(c) | _mm_movemask_epi8(d) << 16) << 32
        | (uint32_t)(_mm_movemask_epi8(a) | _mm_movemask_epi8(b) << 16);
}
/* Whether one of the ten octets before *end* is a backslash; sixteen can be read. */
static inline int levo_escapes_before(const uint8_t *end) {
    __m128i octets = _mm_loadu_si128((const __m128i *)(end - 16));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(octets, _mm_set1_epi8('\\'))) >> 6;
}
#else
static inline uint64_t levo_zeros(uint64_t word) {
    const uint64_t low = 0x7F7F7F7F7F7F7F7F;
    return ~(((word & low) + low) | word | low);
}
static inline uint64_t levo_marks(const uint8_t *data) {
    uint64_t marks = 0, word, found;
    int i;
    for (i = 0; i < 64; i += 8) {
        word = levo_load64(data + i);
        found = levo_zeros(word ^ 0x3A3A3A3A3A3A3A3A) | levo_zeros(word ^ 0x3D3D3D3D3D3D3D3D);
        marks |= ((found >> 7) * 0x0102040810204080 >> 56) << i;
    }
    return marks;
}
static inline int levo_escapes_before(const uint8_t *end) {
    return levo_zeros(levo_load64(end - 8) ^ 0x5C5C5C5C5C5C5C5C) || end[-9] == '\\' || end[-10] == '\\';
}
#endif

/* Whether the string before *colon* may be a name of *endings*, whatever stands around it. */
__attribute__((noinline)) static int levo_may_be_member_exact(const uint64_t *endings, const uint8_t *data, size_t colon) {
    uint8_t start[10];
    size_t end = colon, size;
    uint64_t word, slashes;
    unsigned ending;
    if (end && data[end - 1] != '"')
        while (end && levo_is_space(data[end - 1])) end--;
    if (!end || data[--end] != '"') return 0;
    while (end && data[end - 1] == '\\') end--;   /* the quote of a JSON text that is a string */
    if (end < sizeof(start)) {
        memset(start, 0, sizeof(start));
        for (size = 0; size < end; size++) start[sizeof(start) - end + size] = data[size];
        data = start;
        end = sizeof(start);
    }
    word = levo_load64(data + end - 8);
    /* An escape has up to six octets: one that reaches into the last five began in the last ten. */
    slashes = word ^ 0x5C5C5C5C5C5C5C5C;
    if (((slashes - 0x0101010101010101) & ~slashes & 0x8080808080808080) || data[end - 9] == '\\'
        || data[end - 10] == '\\') return 1;
    ending = levo_ending(word);
    return endings[ending >> 6] >> (ending & 63) & 1;
}

/* The same. Most have their quote next to the colon, sixteen octets before that, and no escape near the end: an escape
   has up to six octets, and one that reaches into the last five began in the last ten. */
static inline int levo_may_be_member(const uint64_t *endings, const uint8_t *data, size_t colon) {
    unsigned ending;
    if (colon < 17 || data[colon - 1] != '"') return levo_may_be_member_exact(endings, data, colon);
    if (levo_escapes_before(data + colon - 1)) return levo_may_be_member_exact(endings, data, colon);
    ending = levo_ending(levo_load64(data + colon - 9));
    return endings[ending >> 6] >> (ending & 63) & 1;
}

#define LEVO_NEXT_MEMBER(NAME, MARKS, ...)                                                                  \
    __VA_ARGS__ static size_t NAME(                                                                         \
        const uint64_t *endings, const uint8_t *data, size_t at, size_t length, int *equals                 \
    ) {                                                                                                     \
        uint8_t rest[64];                                                                                   \
        uint64_t marks;                                                                                     \
        size_t place;                                                                                       \
        for (; at < length; at += 64) {                                                                     \
            if (length - at >= 64) {                                                                        \
                marks = MARKS(data + at);                                                                   \
            } else if (length >= 64) {                                                                      \
                marks = MARKS(data + length - 64) >> (64 - (length - at));                                  \
            } else {                                                                                        \
                memset(rest, 0, sizeof(rest));                                                              \
                memcpy(rest, data + at, length - at);                                                       \
                marks = MARKS(rest);                                                                        \
            }                                                                                               \
            for (; marks; marks &= marks - 1) {                                                             \
                place = at + (size_t)__builtin_ctzll(marks);                                                \
                if (data[place] == '=') *equals = 1;                                                        \
                else if (levo_may_be_member(endings, data, place)) return place;                            \
            }                                                                                               \
        }                                                                                                   \
        return length;                                                                                      \
    }
LEVO_NEXT_MEMBER(levo_next_member_plain, levo_marks)

#if defined(__x86_64__) && defined(LEVO_SSE2)
#define LEVO_AVX2
__attribute__((target("avx2"))) static inline __m256i levo_equal_wide(const uint8_t *data) {
    __m256i octets = _mm256_loadu_si256((const __m256i *)data);
    return _mm256_or_si256(
        _mm256_cmpeq_epi8(octets, _mm256_set1_epi8(':')), _mm256_cmpeq_epi8(octets, _mm256_set1_epi8('=')));
}
__attribute__((target("avx2"))) static inline uint64_t levo_marks_wide(const uint8_t *data) {
    return (uint64_t)(uint32_t)_mm256_movemask_epi8(levo_equal_wide(data + 32)) << 32
        | (uint32_t)_mm256_movemask_epi8(levo_equal_wide(data));
}
LEVO_NEXT_MEMBER(levo_next_member_wide, levo_marks_wide, __attribute__((target("avx2"))))
#endif

/* The first colon from *at* on whose member may be named, or *length*. Sets *equals* when it passes a '='. */
static inline size_t levo_next_member(
    const uint64_t *endings, const uint8_t *data, size_t at, size_t length, int *equals
) {
#if defined(LEVO_AVX2)
    if (__builtin_cpu_supports("avx2")) return levo_next_member_wide(endings, data, at, length, equals);
#endif
    return levo_next_member_plain(endings, data, at, length, equals);
}
#endif
