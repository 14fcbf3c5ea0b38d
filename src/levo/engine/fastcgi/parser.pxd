from levo.engine.proto.protocol cimport Protocol


cdef const Protocol* fastcgi_protocol() noexcept nogil
