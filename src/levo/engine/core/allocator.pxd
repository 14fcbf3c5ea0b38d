# The process's pool of spare blocks.
from levo.engine.core.types cimport Pool

cdef Pool* the_pool() noexcept nogil
