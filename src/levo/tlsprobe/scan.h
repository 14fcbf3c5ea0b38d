/* Searching whole files at the speed of memory: blocks whose octets cannot begin a match are passed over by a loop
 * without branches, which compilers turn into vector instructions. */
#ifndef LEVO_SCAN_H
#define LEVO_SCAN_H

#include <stdint.h>
#include <string.h>

enum { LEVO_BLOCK = 64 };

static inline uint8_t levo_may_be_label(const uint8_t *p)
{
    /* "CLIENT_RANDOM", or "_SECRET" and what follows: "_0" or the end */
    return (uint8_t)(((p[0] == 'C') & (p[6] == '_') & (p[12] == 'M') & (p[13] == 0)) |
                     ((p[0] == '_') & (p[1] == 'S') & (p[6] == 'T') & ((p[7] == '_') | (p[7] == 0))));
}

/* The next place from *at* on where a label may be; *size* where there is none. Needs 14 octets behind each place. */
static inline uint64_t levo_next_label(const uint8_t *data, uint64_t size, uint64_t at)
{
    for (; at + 14 <= size; at++) {
        while (at + LEVO_BLOCK + 14 <= size) {
            uint8_t any = 0;
            for (int i = 0; i < LEVO_BLOCK; i++)
                any |= levo_may_be_label(data + at + i);
            if (any)
                break;
            at += LEVO_BLOCK;
        }
        if (at + 14 <= size && levo_may_be_label(data + at))
            return at;
    }
    return size;
}

/* The next place from *at* on where "mov r32, number" may have its number, the highest octet of which is *top*. */
static inline uint64_t levo_next_number(const uint8_t *code, uint64_t size, uint64_t at, uint8_t top)
{
    for (; at + 4 <= size; at++) {
        while (at + LEVO_BLOCK + 4 <= size) {
            uint8_t any = 0;
            for (int i = 0; i < LEVO_BLOCK; i++)
                any |= (uint8_t)(((code[at + i - 1] & 0xf8) == 0xb8) & (code[at + i + 3] == top));
            if (any)
                break;
            at += LEVO_BLOCK;
        }
        if (at + 4 > size)
            break;
        if ((code[at - 1] & 0xf8) == 0xb8 && code[at + 3] == top)
            return at;
    }
    return size;
}

#endif
