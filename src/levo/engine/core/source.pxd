from levo.engine.core.types cimport FrameSink


cdef class FrameSource:
    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil
