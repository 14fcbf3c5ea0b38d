/* Where the lines and colons of a head are, 64 octets at a time where SSE2 is there. */
#ifndef LEVO_HTTP1_HEAD_MAP_H
#define LEVO_HTTP1_HEAD_MAP_H
#include <stdint.h>
#include <string.h>
#define LEVO_MAP_LINES 64
#define LEVO_MAP_OCTETS 4096              /* a longer head is read the general way */
#define LEVO_NO_COLON 0xFFFFFFFFu
typedef struct { uint32_t count, end[LEVO_MAP_LINES], colon[LEVO_MAP_LINES]; } levo_head_map;

#if defined(__SSE2__)
#include <emmintrin.h>
static inline uint64_t levo_positions(const __m128i *here, char octet) {
    const __m128i wanted = _mm_set1_epi8(octet);
    return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here[0], wanted))
        | (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here[1], wanted)) << 16
        | (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here[2], wanted)) << 32
        | (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(here[3], wanted)) << 48;
}
static inline uint32_t levo_map_head(const uint8_t *data, uint32_t length, levo_head_map *map) {
    __m128i here[4], least;
    uint32_t at, place, line = 0, colon = LEVO_NO_COLON, lines = 0;
    uint64_t feeds, returns, colons, odd, bit, upto, carried = 0;
    uint8_t last[64], first;
    if (length > LEVO_MAP_OCTETS) length = LEVO_MAP_OCTETS;
    for (at = 0; at < length; at += 64) {
        const uint8_t *block = data + at;
        if (length - at < 64) {
            memset(last, 'x', 64);
            memcpy(last, block, length - at);
            block = last;
        }
        for (place = 0; place < 4; place++) here[place] = _mm_loadu_si128((const __m128i *)(block + 16 * place));
        feeds = levo_positions(here, 10);
        returns = levo_positions(here, 13);
        colons = levo_positions(here, ':');
        odd = (returns << 1 | carried) ^ feeds;         /* an LF without its CR, or a CR without its LF */
        carried = returns >> 63;
        least = _mm_min_epu8(_mm_min_epu8(here[0], here[1]), _mm_min_epu8(here[2], here[3]));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128()))) odd |= levo_positions(here, 0);
        while (feeds) {
            bit = feeds & -feeds;
            upto = bit | (bit - 1);
            place = at + (uint32_t)__builtin_ctzll(feeds);
            if (odd & upto) return 0;
            if (place - 1 == line) {
                map->count = lines;
                return lines ? place + 1 : 0;
            }
            if (colons & upto) {
                if (colon == LEVO_NO_COLON) colon = at + (uint32_t)__builtin_ctzll(colons);
                colons &= ~upto;
            }
            first = data[line];
            if (first <= 32 && (first == 32 || first == 9)) return 0;         /* a folded line */
            if (lines == LEVO_MAP_LINES) return 0;
            map->end[lines] = place;
            map->colon[lines++] = colon;
            colon = LEVO_NO_COLON;
            line = place + 1;
            feeds &= ~upto;
        }
        if (odd) return 0;
        if (colon == LEVO_NO_COLON && colons) colon = at + (uint32_t)__builtin_ctzll(colons);
    }
    return 0;
}
#else
static inline uint32_t levo_map_head(const uint8_t *data, uint32_t length, levo_head_map *map) {
    (void)data; (void)length; (void)map;
    return 0;
}
#endif
#endif
