# Exchanges to JSON Lines.
from levo.engine.output cimport Output
from levo.engine.types cimport Exchange


cdef void jsonl_encode(const Exchange* first, size_t count, Output* output) noexcept nogil
