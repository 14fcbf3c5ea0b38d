# Finished exchanges, in order, for whoever takes a batch.
from levo.engine.core.exchange cimport exchange_footprint
from levo.engine.core.state cimport EngineState
from levo.engine.core.types cimport COMPLETE, Exchange


cdef inline void put_ready(EngineState* state, Exchange* exchange) noexcept nogil:
    """Count *exchange*, which is no longer open, as emitted."""
    state.stats.exchanges_emitted += 1
    if exchange.incomplete != COMPLETE:
        state.stats.exchanges_emitted_incomplete += 1
    exchange.footprint = exchange_footprint(exchange)
    state.ready_bytes += exchange.footprint
    state.ready_count += 1
    exchange.next = NULL
    exchange.previous = NULL
    if state.ready_last == NULL:
        state.ready_first = exchange
    else:
        state.ready_last.next = exchange
    state.ready_last = exchange
