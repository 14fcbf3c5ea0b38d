/* Octets looked at and copied by the word, or by vectors. */
#ifndef LEVO_CORE_OUTPUT_H
#define LEVO_CORE_OUTPUT_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t levo_load64(const uint8_t *data) {
    uint64_t word;
    memcpy(&word, data, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}
static inline void levo_store64(uint8_t *data, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(data, &word, 8);
}
/* ISA-L's compression leaves the upper halves of the vector registers in use; code for the lower halves, as
   ours is compiled to, then runs at a third of its speed. */
#if defined(__x86_64__)
static inline void levo_forget_wide_registers(void) {
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroupper" ::: "memory");
}
#else
static inline void levo_forget_wide_registers(void) {}
#endif
static inline unsigned levo_first_octet(uint64_t mask) { return (unsigned)__builtin_ctzll(mask) >> 3; }

/* Names and values are short: a call of memcpy costs more than copying them. */
static inline void levo_copy(uint8_t *to, const uint8_t *from, size_t size) {
    uint64_t a, b, c, d;
    uint32_t e, f;
    if (size > 32) { memcpy(to, from, size); return; }
    if (size >= 16) {
        memcpy(&a, from, 8), memcpy(&b, from + 8, 8);
        memcpy(&c, from + size - 16, 8), memcpy(&d, from + size - 8, 8);
        memcpy(to, &a, 8), memcpy(to + 8, &b, 8);
        memcpy(to + size - 16, &c, 8), memcpy(to + size - 8, &d, 8);
    } else if (size >= 8) {
        memcpy(&a, from, 8), memcpy(&b, from + size - 8, 8);
        memcpy(to, &a, 8), memcpy(to + size - 8, &b, 8);
    } else if (size >= 4) {
        memcpy(&e, from, 4), memcpy(&f, from + size - 4, 4);
        memcpy(to, &e, 4), memcpy(to + size - 4, &f, 4);
    } else if (size) {
        uint8_t first = from[0], middle = from[size >> 1], last = from[size - 1];
        to[0] = first, to[size >> 1] = middle, to[size - 1] = last;
    }
}

/* Blocks of 32 octets at the start, in octets: those without one above 127; those that are plain text. With the
   compiler's vector extension (GCC and Clang, any processor). */
typedef int8_t levo_signed __attribute__((vector_size(16)));
static inline int levo_any(levo_signed one, levo_signed other) {
    uint64_t halves[2];
    one |= other;
    memcpy(halves, &one, 16);
    return (halves[0] | halves[1]) != 0;
}
static inline size_t levo_ascii_blocks(const uint8_t *data, size_t length) {
    size_t at = 0;
    levo_signed one, other;
    for (; length - at >= 32; at += 32) {
        memcpy(&one, data + at, 16), memcpy(&other, data + at + 16, 16);
        if (levo_any((levo_signed)(one < 0), (levo_signed)(other < 0))) break;
    }
    return at;
}
static inline levo_signed levo_odd(levo_signed octets) {
    levo_signed spaces = (levo_signed)(octets > 8) & (levo_signed)(octets < 14);
    return (levo_signed)(octets < 32) & ~(spaces | (levo_signed)(octets == 27));
}
static inline size_t levo_plain_blocks(const uint8_t *data, size_t length) {
    size_t at = 0;
    levo_signed one, other;
    for (; length - at >= 32; at += 32) {
        memcpy(&one, data + at, 16), memcpy(&other, data + at + 16, 16);
        if (levo_any((levo_signed)(one < 32), (levo_signed)(other < 32))
            && levo_any(levo_odd(one), levo_odd(other))) break;
    }
    return at;
}
#endif
