/* Adding counts. */
#ifndef LEVO_SATELLITE_LEARN_SCHEMA_SUM_H
#define LEVO_SATELLITE_LEARN_SCHEMA_SUM_H
#include <stdint.h>

/* Counts stop at their greatest number: what a damaged catalog says must not wrap. */
static inline int64_t levo_sum(int64_t a, int64_t b) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) {
        return a < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum;
}
#endif
