from levo.engine.proto.protocol cimport Protocol


cdef const Protocol* proxy_protocol() noexcept nogil
