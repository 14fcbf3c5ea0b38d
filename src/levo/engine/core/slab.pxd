# Records of one size in chunks of 2 MiB. With tens of thousands of connections, finding one is mostly waiting for the
# translation of its address: from the second chunk on the kernel is asked for huge pages, with which one entry of the
# processor's table of translations serves a whole chunk. A chunk that is empty goes back to the system, one is kept.
from libc.stddef cimport size_t

cdef extern from *:
    """
    #ifndef LEVO_SLAB
    #define LEVO_SLAB
    #include <stdint.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #define LEVO_CHUNK ((size_t)2 << 20)
    #define LEVO_RECORD_STEP ((size_t)64)
    #if defined(__SANITIZE_ADDRESS__)
    #define LEVO_HAS_SLABS 0         /* each record by itself, so that misuse is seen */
    #elif defined(__has_feature)
    #define LEVO_HAS_SLABS (!__has_feature(address_sanitizer))
    #else
    #define LEVO_HAS_SLABS 1
    #endif

    typedef struct levo_chunk {
        struct levo_chunk *previous, *next;   /* among those with room */
        void *spare;                          /* given back, each leads to the next */
        size_t used, begun;                   /* records in use; octets that were ever in use, this header included */
    } levo_chunk;

    typedef struct levo_slab {
        levo_chunk *roomy;                    /* chunks with room */
        size_t chunks, empty;
    } levo_slab;

    static inline levo_chunk *levo_new_chunk(int huge) {
        char *mapped = (char *)mmap(NULL, 2 * LEVO_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *chunk;
        size_t before;
        if (mapped == (char *)MAP_FAILED) return NULL;
        chunk = (char *)(((uintptr_t)mapped + LEVO_CHUNK - 1) & ~(uintptr_t)(LEVO_CHUNK - 1));
        before = (size_t)(chunk - mapped);
        if (before) munmap(mapped, before);
        if (before < LEVO_CHUNK) munmap(chunk + LEVO_CHUNK, LEVO_CHUNK - before);
    #ifdef MADV_HUGEPAGE
        if (huge) madvise(chunk, LEVO_CHUNK, MADV_HUGEPAGE);
    #endif
        return (levo_chunk *)chunk;           /* zeroes */
    }

    static inline void levo_link_chunk(levo_slab *slab, levo_chunk *chunk) {
        chunk->previous = NULL;
        chunk->next = slab->roomy;
        if (slab->roomy) slab->roomy->previous = chunk;
        slab->roomy = chunk;
    }

    static inline void levo_unlink_chunk(levo_slab *slab, levo_chunk *chunk) {
        if (chunk->previous) chunk->previous->next = chunk->next; else slab->roomy = chunk->next;
        if (chunk->next) chunk->next->previous = chunk->previous;
    }

    static inline void *levo_slab_take(levo_slab *slab, size_t size) {
        size_t step = (size + LEVO_RECORD_STEP - 1) / LEVO_RECORD_STEP * LEVO_RECORD_STEP;
        levo_chunk *chunk = slab->roomy;
        void *record;
        if (!LEVO_HAS_SLABS) return malloc(size);
        if (!chunk) {
            chunk = levo_new_chunk(slab->chunks != 0);
            if (!chunk) return NULL;
            chunk->begun = (sizeof(levo_chunk) + LEVO_RECORD_STEP - 1) / LEVO_RECORD_STEP * LEVO_RECORD_STEP;
            slab->chunks++;
            slab->empty++;
            levo_link_chunk(slab, chunk);
        }
        slab->empty -= chunk->used == 0;
        record = chunk->spare;
        if (record) {
            chunk->spare = *(void **)record;
        } else {
            record = (char *)chunk + chunk->begun;
            chunk->begun += step;
        }
        chunk->used++;
        if (!chunk->spare && chunk->begun + step > LEVO_CHUNK) levo_unlink_chunk(slab, chunk);
        return record;
    }

    static inline void levo_slab_give_back(levo_slab *slab, void *record, size_t size) {
        size_t step = (size + LEVO_RECORD_STEP - 1) / LEVO_RECORD_STEP * LEVO_RECORD_STEP;
        levo_chunk *chunk = (levo_chunk *)((uintptr_t)record & ~(uintptr_t)(LEVO_CHUNK - 1));
        if (!LEVO_HAS_SLABS) { free(record); return; }
        if (!chunk->spare && chunk->begun + step > LEVO_CHUNK) levo_link_chunk(slab, chunk);
        *(void **)record = chunk->spare;
        chunk->spare = record;
        if (--chunk->used) return;
        if (slab->empty) {
            levo_unlink_chunk(slab, chunk);
            munmap(chunk, LEVO_CHUNK);
            slab->chunks--;
        } else {
            slab->empty = 1;
        }
    }

    /* Every record has been given back. */
    static inline void levo_slab_end(levo_slab *slab) {
        levo_chunk *next;
        for (; slab->roomy; slab->roomy = next) {
            next = slab->roomy->next;
            munmap(slab->roomy, LEVO_CHUNK);
        }
        slab->chunks = slab->empty = 0;
    }
    #endif
    """
    ctypedef struct Slab "levo_slab":
        size_t chunks           # mapped

    void* slab_take "levo_slab_take"(Slab* slab, size_t size) nogil
    void slab_give_back "levo_slab_give_back"(Slab* slab, void* record, size_t size) nogil
    void slab_end "levo_slab_end"(Slab* slab) nogil
