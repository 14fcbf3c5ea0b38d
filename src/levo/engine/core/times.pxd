# Lengths of time, in nanoseconds as all times of the engine.
from libc.stdint cimport int64_t

cdef extern from "levo/engine/core/times.h":
    const int64_t SECOND_NS "LEVO_SECOND_NS"
    const int64_t MINUTE_NS "LEVO_MINUTE_NS"
