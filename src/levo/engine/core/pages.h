/* Tables of a fixed size, of zeros, straight from the system (core/pages.pxd says why). */
#ifndef LEVO_CORE_PAGES_H
#define LEVO_CORE_PAGES_H
#include <stddef.h>
#include <sys/mman.h>

static inline void *levo_pages_take(size_t size) {
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static inline void levo_pages_give_back(void *pages, size_t size) {
    if (pages) munmap(pages, size);
}
#endif
