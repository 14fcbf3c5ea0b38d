/* Words that the kernel, or another process, reads and writes at the same time. */
#ifndef LEVO_TLSPROBE_SHARED_H
#define LEVO_TLSPROBE_SHARED_H

#include <stdint.h>

static inline uint64_t levo_load64(const void *at)
{
    return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE);
}

static inline uint32_t levo_load32(const void *at)
{
    return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
}

static inline void levo_store64(void *at, uint64_t value)
{
    __atomic_store_n((uint64_t *)at, value, __ATOMIC_RELEASE);
}

#endif
