from levo.engine.proto.protocol cimport Protocol


cdef const Protocol* websocket_protocol() noexcept nogil
