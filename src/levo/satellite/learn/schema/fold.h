/* A hash that mixes two numbers. */
#ifndef LEVO_SATELLITE_LEARN_SCHEMA_FOLD_H
#define LEVO_SATELLITE_LEARN_SCHEMA_FOLD_H
#include <stdint.h>

static inline uint64_t levo_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
#endif
