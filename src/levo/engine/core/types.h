/* Spare blocks: given back, kept by size for whoever asks next (core/memory.h). */
#ifndef LEVO_CORE_TYPES_H
#define LEVO_CORE_TYPES_H
#include <pthread.h>
#include <stddef.h>
#define LEVO_SPARE_STEP 64
#define LEVO_SPARE_MOST 2048
#define LEVO_SPARE_KINDS (LEVO_SPARE_MOST / LEVO_SPARE_STEP + 1)
typedef struct {
    void *first[LEVO_SPARE_KINDS], *last[LEVO_SPARE_KINDS];    /* by size; the link is a block's first octets */
    size_t count[LEVO_SPARE_KINDS], bytes;
} levo_spares;
typedef struct { pthread_mutex_t lock; levo_spares spares; } levo_pool;
#endif
