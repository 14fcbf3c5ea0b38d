# Exchanges to JSON Lines.
from levo.engine.core.output cimport Output
from levo.engine.core.types cimport Exchange


cdef void jsonl_encode(const Exchange* first, size_t count, Output* output) noexcept nogil
