/* Constants of the encoder of field lines. */
#ifndef LEVO_ENCODE_OTLP_FIELDS_H
#define LEVO_ENCODE_OTLP_FIELDS_H
#include <stdint.h>
#include "levo/wire/schema.h"

#define LEVO_REPEAT 0xFFFFFFFFu
/* The tags of what is inside a short field, each followed by an octet for its length. */
#define LEVO_INNER_TAGS ((uint64_t)LEVO_KEY_VALUE_VALUE | (uint64_t)LEVO_ANY_VALUE_ARRAY_VALUE << 16 \
    | (uint64_t)LEVO_ARRAY_VALUE_VALUES << 32 | (uint64_t)LEVO_ANY_VALUE_STRING_VALUE << 48)
#endif
