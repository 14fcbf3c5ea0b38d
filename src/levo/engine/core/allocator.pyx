"""How the C library's allocator behaves in this process: give pages back seldom, large blocks too.

Batches of encoded traces are some hundred kilobytes and short-lived. With glibc's defaults each of them is mapped,
faulted in page by page and unmapped again, which measured as a fifth of the cost of an exchange.
"""

from levo.engine.core.types cimport Pool

cdef extern from "levo/engine/core/allocator.h":
    int levo_keep_pages(int octets) nogil
    int levo_return_pages() nogil
    Pool levo_the_pool

KEPT_BYTES = 16 * 1024 * 1024      # batches with large bodies are some MiB; with 4 they were mapped again
"""Blocks from this size on are mapped for themselves; as much free memory stays with the process."""


cdef Pool* the_pool() noexcept nogil:
    """Spare blocks for all engines and batches of the process (``memory.pxd``). It lives as long as the process."""
    return &levo_the_pool


def keep_pages() -> bool:
    """Set the whole process's allocator; False where the C library has no such setting. Legal twice."""
    return bool(levo_keep_pages(KEPT_BYTES))


def return_pages() -> bool:
    """Give back what is free now, as once the process has started; whether there was any."""
    return bool(levo_return_pages())
