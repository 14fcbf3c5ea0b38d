# Tables of a fixed size, which take memory as they are used. Not from malloc: the first large block that is given back
# there makes it keep later ones in its heap, where growing an output means copying it.
from libc.stddef cimport size_t

cdef extern from "levo/engine/core/pages.h":
    void* pages_take "levo_pages_take"(size_t size) nogil
    void pages_give_back "levo_pages_give_back"(void* pages, size_t size) nogil
