# Exchanges that are one request on its way through a proxy (hops.pyx).
from libc.stdint cimport int64_t

from levo.engine.core.state cimport EngineState
from levo.engine.core.types cimport Exchange


cdef bint hops_init(EngineState* state, bint merge) noexcept nogil
cdef void hops_free(EngineState* state) noexcept nogil
cdef bint hops_take(EngineState* state, Exchange* exchange) noexcept nogil
cdef void hops_tick(EngineState* state) noexcept nogil
cdef void hops_finish(EngineState* state) noexcept nogil
