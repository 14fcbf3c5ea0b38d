/* What the C library is asked for, where it can be asked. */
#ifndef LEVO_CORE_ALLOCATOR_H
#define LEVO_CORE_ALLOCATOR_H
#include "levo/engine/core/types.h"
#include <stdlib.h>

/* The process's pool; allocator.pyx alone includes this file. */
static levo_pool levo_the_pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

#if defined(__GLIBC__)
#include <malloc.h>
/* Setting either of the two also ends glibc's own adaption of both. */
static int levo_keep_pages(int octets) {
    return mallopt(M_MMAP_THRESHOLD, octets) && mallopt(M_TRIM_THRESHOLD, octets);
}
static int levo_return_pages(void) { return malloc_trim(0); }
#else
static int levo_keep_pages(int octets) { (void)octets; return 0; }
static int levo_return_pages(void) { return 0; }
#endif
#endif
