/* What the C library is asked for, where it can be asked. */
#ifndef LEVO_CORE_ALLOCATOR_H
#define LEVO_CORE_ALLOCATOR_H
#include <stdlib.h>
#if defined(__GLIBC__)
#include <malloc.h>
/* Setting either of the two also ends glibc's own adaption of both. */
static int levo_keep_pages(int octets) {
    return mallopt(M_MMAP_THRESHOLD, octets) && mallopt(M_TRIM_THRESHOLD, octets);
}
#else
static int levo_keep_pages(int octets) { (void)octets; return 0; }
#endif
#endif
