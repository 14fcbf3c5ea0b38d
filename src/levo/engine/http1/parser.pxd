from levo.engine.proto.protocol cimport Protocol


cdef const Protocol* http1_protocol() noexcept nogil
