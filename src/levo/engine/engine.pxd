from levo.engine.state cimport EngineState


cdef class Engine:
    cdef EngineState state
    cdef int _finished
