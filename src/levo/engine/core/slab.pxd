# Records of one size in chunks of 2 MiB. With tens of thousands of connections, finding one is mostly waiting for the
# translation of its address: from the second chunk on the kernel is asked for huge pages, with which one entry of the
# processor's table of translations serves a whole chunk. A chunk that is empty goes back to the system, one is kept.
from libc.stddef cimport size_t

cdef extern from "levo/engine/core/slab.h":
    ctypedef struct Slab "levo_slab":
        size_t chunks           # mapped

    void* slab_take "levo_slab_take"(Slab* slab, size_t size) nogil
    void slab_give_back "levo_slab_give_back"(Slab* slab, void* record, size_t size) nogil
    void slab_end "levo_slab_end"(Slab* slab) nogil
