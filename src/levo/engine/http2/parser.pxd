from levo.engine.proto.protocol cimport Protocol


cdef const Protocol* http2_protocol() noexcept nogil
