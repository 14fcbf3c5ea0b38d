from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport EngineState
from levo.engine.core.types cimport Exchange


ctypedef struct Endpoint:
    # What the sampler knows of one endpoint (method, host, collapsed path).
    uint64_t key                  # 0: free
    double rate                   # requests per minute, smoothed
    double credit                 # traces it may take at once
    int64_t credit_ns             # when credit was last topped up
    int64_t kept_ns               # when a trace of it was last kept; 0: never
    uint64_t waiting              # requests since then: the weight of the next trace
    uint32_t recent               # requests since the last review
    uint8_t statuses              # classes of status seen in kept traces, one bit each
    uint8_t pad[3]


# Asks the user's rules about a request; returns a Drop. Called with the GIL released.
ctypedef int (*RequestFilter)(void* context, const Exchange* exchange) noexcept nogil


ctypedef struct Sampler:
    Endpoint* endpoints
    int64_t* kept_times           # ring: when the latest traces were kept
    double per_minute             # 0: no limit
    double share                  # traces per minute an endpoint may take; < 0: all
    double cap                    # upper bound of share from the configuration; < 0: none
    double estimated              # requests per minute over all endpoints
    int64_t window_ns
    int64_t reviewed_ns
    int64_t first_ns
    uint32_t capacity             # of kept_times
    uint32_t ring_head
    uint32_t ring_used
    uint32_t table                # entries of endpoints; a power of two
    uint32_t endpoint_count
    uint32_t kept_since_review
    RequestFilter request_filter
    void* filter_context


cdef bint sampler_init(Sampler* sampler, double per_minute, double cap) noexcept nogil
cdef void sampler_set_rate(Sampler* sampler, double per_minute, double cap) noexcept nogil
cdef void sampler_free(Sampler* sampler) noexcept nogil
cdef void sample_request(EngineState* state, Exchange* exchange) noexcept nogil
cdef void sample_response(EngineState* state, Exchange* exchange) noexcept nogil
