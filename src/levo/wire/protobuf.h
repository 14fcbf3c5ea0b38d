/* The protobuf wire format: varints, tags, lengths and fixed-width numbers. */
#ifndef LEVO_WIRE_PROTOBUF_H
#define LEVO_WIRE_PROTOBUF_H
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t levo_varint_length(uint64_t number) {
    return (uint32_t)((64 - __builtin_clzll(number | 1)) * 9 + 64) >> 6;
}
static inline uint8_t *levo_write_varint(uint8_t *at, uint64_t number) {
    while (number >= 0x80) *at++ = (uint8_t)(number | 0x80), number >>= 7;
    *at++ = (uint8_t)number;
    return at;
}
static inline uint8_t *levo_write_tag(uint8_t *at, uint8_t tag, uint64_t number) {
    *at++ = tag;
    return levo_write_varint(at, number);
}
static inline uint8_t *levo_write_fixed32(uint8_t *at, uint32_t number) {
    number = htole32(number);
    memcpy(at, &number, 4);
    return at + 4;
}
static inline uint8_t *levo_write_fixed64(uint8_t *at, uint8_t tag, uint64_t number) {
    *at++ = tag;
    number = htole64(number);
    memcpy(at, &number, 8);
    return at + 8;
}

enum { LEVO_VARINT = 0, LEVO_FIXED64 = 1, LEVO_LENGTH = 2, LEVO_FIXED32 = 5 };

typedef struct {
    const uint8_t *at, *end;
} levo_cursor;

typedef struct {
    uint32_t tag;
    uint64_t number;
    levo_cursor inside;
} levo_field;

/* Octets of a varint: of a number, and of a tag or a length, where protobuf takes no more either. */
enum { LEVO_LONGEST = 10, LEVO_LONGEST_SHORT = 5 };

/* Returns the place after the varint, null without one. Apart, so that a cursor can stay in registers. */
static __attribute__((noinline, unused)) const uint8_t *levo_long_varint(
    const uint8_t *at, const uint8_t *end, int longest, uint64_t *value)
{
    uint64_t found = 0;
    for (int shift = 0; at < end && shift < 7 * longest; shift += 7) {
        uint8_t octet = *at++;
        found |= (uint64_t)(octet & 0x7F) << shift;
        if (octet < 0x80) {
            *value = found;
            return at;
        }
    }
    return NULL;
}
static inline int levo_take_varint(levo_cursor *cursor, int longest, uint64_t *value) {
    const uint8_t *at = cursor->at;
    uint64_t found;
    if (at < cursor->end && *at < 0x80) {
        *value = *at;
        cursor->at = at + 1;
        return 1;
    }
    at = levo_long_varint(at, cursor->end, longest, &found);
    if (at == NULL) return 0;
    *value = found;
    cursor->at = at;
    return 1;
}
static inline int levo_take_fixed(levo_cursor *cursor, size_t size, uint64_t *value) {
    uint64_t found = 0;
    if (size > (size_t)(cursor->end - cursor->at)) return 0;
    memcpy(&found, cursor->at, size);
    *value = le64toh(found);
    cursor->at += size;
    return 1;
}
static inline int levo_take_field(levo_cursor *cursor, levo_field *field) {
    uint64_t tag, size;
    if (cursor->at >= cursor->end) return 0;
    if (!levo_take_varint(cursor, LEVO_LONGEST_SHORT, &tag) || tag >> 32 || tag < 8) return -1;
    field->tag = (uint32_t)tag;
    if ((tag & 7) == LEVO_LENGTH) {
        if (!levo_take_varint(cursor, LEVO_LONGEST_SHORT, &size)) return -1;
        if (size > (uint64_t)(cursor->end - cursor->at)) return -1;
        field->number = 0;
        field->inside.at = cursor->at;
        field->inside.end = cursor->at += size;
        return 1;
    }
    field->inside.at = field->inside.end = cursor->at;
    if ((tag & 7) == LEVO_VARINT) return levo_take_varint(cursor, LEVO_LONGEST, &field->number) ? 1 : -1;
    if ((tag & 7) == LEVO_FIXED64) return levo_take_fixed(cursor, 8, &field->number) ? 1 : -1;
    if ((tag & 7) == LEVO_FIXED32) return levo_take_fixed(cursor, 4, &field->number) ? 1 : -1;
    return -1;
}
#endif
