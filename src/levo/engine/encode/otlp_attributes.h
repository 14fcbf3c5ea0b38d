/* Attributes of a span, written without a check for room. */
#ifndef LEVO_ENCODE_OTLP_ATTRIBUTES_H
#define LEVO_ENCODE_OTLP_ATTRIBUTES_H
#include <stdint.h>
#include <string.h>
#include "levo/engine/core/output.h"
#include "levo/wire/protobuf.h"
#include "levo/wire/schema.h"

/* Inline always: then the compiler knows how long a literal *key* is, and stores it without a call. */
#define LEVO_ALWAYS static inline __attribute__((always_inline))

LEVO_ALWAYS uint8_t *levo_begin_attribute(uint8_t *at, const char *key, uint64_t value_length) {
    size_t size = strlen(key);
    uint64_t pair = 3 + size + levo_varint_length(value_length) + value_length;
    at = levo_write_tag(at, LEVO_SPAN_ATTRIBUTES, pair);
    at[0] = LEVO_KEY_VALUE_KEY;
    at[1] = (uint8_t)size;
    memcpy(at + 2, key, size);
    return levo_write_tag(at + 2 + size, LEVO_KEY_VALUE_VALUE, value_length);
}
LEVO_ALWAYS uint8_t *levo_begin_string(uint8_t *at, const char *key, uint64_t length) {
    at = levo_begin_attribute(at, key, 1 + levo_varint_length(length) + length);
    return levo_write_tag(at, LEVO_ANY_VALUE_STRING_VALUE, length);
}
LEVO_ALWAYS uint8_t *levo_write_int(uint8_t *at, const char *key, int64_t number) {
    at = levo_begin_attribute(at, key, 1 + levo_varint_length((uint64_t)number));
    return levo_write_tag(at, LEVO_ANY_VALUE_INT_VALUE, (uint64_t)number);
}
LEVO_ALWAYS uint8_t *levo_write_ascii(uint8_t *at, const char *key, const uint8_t *text, uint32_t length) {
    at = levo_begin_string(at, key, length);
    levo_copy(at, text, length);
    return at + length;
}

/* A name that is chosen at run time, of at most 39 octets: copied whole, which needs neither its length nor a call. */
typedef struct {
    char text[40];
    uint8_t length;
} levo_attribute_name;
#define LEVO_NAME(literal) { literal, sizeof(literal) - 1 }

static inline uint8_t *levo_begin_named(uint8_t *at, const levo_attribute_name *name, uint64_t value_length) {
    uint64_t pair = 3 + (uint64_t)name->length + levo_varint_length(value_length) + value_length;
    at = levo_write_tag(at, LEVO_SPAN_ATTRIBUTES, pair);
    at[0] = LEVO_KEY_VALUE_KEY;
    at[1] = name->length;
    memcpy(at + 2, name->text, sizeof(name->text));
    return levo_write_tag(at + 2 + name->length, LEVO_KEY_VALUE_VALUE, value_length);
}
static inline uint8_t *levo_begin_named_string(uint8_t *at, const levo_attribute_name *name, uint64_t length) {
    at = levo_begin_named(at, name, 1 + levo_varint_length(length) + length);
    return levo_write_tag(at, LEVO_ANY_VALUE_STRING_VALUE, length);
}
static inline uint8_t *levo_write_named_int(uint8_t *at, const levo_attribute_name *name, int64_t number) {
    at = levo_begin_named(at, name, 1 + levo_varint_length((uint64_t)number));
    return levo_write_tag(at, LEVO_ANY_VALUE_INT_VALUE, (uint64_t)number);
}
#endif
