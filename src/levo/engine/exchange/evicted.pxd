from levo.engine.core.state cimport EngineState
from levo.engine.core.types cimport Buffer, Exchange


cdef bint keep_evicted(EngineState* state, Exchange* exchange) noexcept nogil
cdef void trim_cut_head(Buffer* head) noexcept nogil
