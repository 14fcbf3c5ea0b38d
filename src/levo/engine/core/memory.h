/* Blocks that were given back are taken again, by size, without asking the system. */
#ifndef LEVO_CORE_MEMORY_H
#define LEVO_CORE_MEMORY_H
#include "levo/engine/core/types.h"
#include <stdlib.h>
#include <string.h>
#define LEVO_SPARE_BYTES ((size_t)8 << 20)
#if defined(__SANITIZE_ADDRESS__)
#define LEVO_HAS_SPARES 0        /* each block by itself, so that misuse is seen */
#elif defined(__has_feature)
#define LEVO_HAS_SPARES (!__has_feature(address_sanitizer))
#else
#define LEVO_HAS_SPARES 1
#endif

static inline void levo_spare_move(levo_spares *from, levo_spares *to, size_t kind) {
    if (!from->first[kind]) return;
    *(void **)from->last[kind] = to->first[kind];
    if (!to->first[kind]) to->last[kind] = from->last[kind];
    to->first[kind] = from->first[kind];
    to->count[kind] += from->count[kind];
    to->bytes += from->count[kind] * kind * LEVO_SPARE_STEP;
    from->bytes -= from->count[kind] * kind * LEVO_SPARE_STEP;
    from->first[kind] = from->last[kind] = NULL;
    from->count[kind] = 0;
}

static inline void *levo_take(levo_pool *pool, levo_spares *spares, size_t size) {
    size_t kind = (size + LEVO_SPARE_STEP - 1) / LEVO_SPARE_STEP;
    void *block;
    if (size > LEVO_SPARE_MOST || !LEVO_HAS_SPARES) return malloc(size);
    if (!spares->first[kind] && pool && __atomic_load_n(&pool->spares.first[kind], __ATOMIC_RELAXED)) {
        pthread_mutex_lock(&pool->lock);
        levo_spare_move(&pool->spares, spares, kind);
        pthread_mutex_unlock(&pool->lock);
    }
    block = spares->first[kind];
    if (!block) return malloc(kind ? kind * LEVO_SPARE_STEP : LEVO_SPARE_STEP);
    spares->first[kind] = *(void **)block;
    if (!spares->first[kind]) spares->last[kind] = NULL;
    spares->count[kind]--;
    spares->bytes -= kind * LEVO_SPARE_STEP;
    return block;
}

static inline void levo_give_back(levo_pool *pool, levo_spares *spares, void *block, size_t size) {
    size_t kind = (size + LEVO_SPARE_STEP - 1) / LEVO_SPARE_STEP;
    if (size > LEVO_SPARE_MOST || !kind || !pool || !LEVO_HAS_SPARES || spares->bytes >= LEVO_SPARE_BYTES) {
        free(block);
        return;
    }
    *(void **)block = spares->first[kind];
    if (!spares->first[kind]) spares->last[kind] = block;
    spares->first[kind] = block;
    spares->count[kind]++;
    spares->bytes += kind * LEVO_SPARE_STEP;
}

/* Nobody will take from *spares* again: to the pool with it, or to the system where that has plenty. */
static inline void levo_leave_spares(levo_pool *pool, levo_spares *spares) {
    size_t kind;
    void *block;
    if (!pool || !spares->bytes) return;
    pthread_mutex_lock(&pool->lock);
    for (kind = 1; kind < LEVO_SPARE_KINDS; kind++)
        if (pool->spares.bytes < LEVO_SPARE_BYTES) levo_spare_move(spares, &pool->spares, kind);
    pthread_mutex_unlock(&pool->lock);
    for (kind = 1; kind < LEVO_SPARE_KINDS; kind++)
        while ((block = spares->first[kind])) {
            spares->first[kind] = *(void **)block;
            free(block);
        }
}

/* GCC clears a record of some hundred octets with "rep stos" where it knows the size: three times as slow. */
static inline void levo_clear(void *record, size_t size) {
    __asm__("" : "+r"(size));
    memset(record, 0, size);
}
#endif
