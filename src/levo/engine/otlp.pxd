# Exchanges to an ExportTraceServiceRequest.
from levo.engine.output cimport Output, Text
from levo.engine.types cimport Exchange


cdef size_t otlp_encode(
    const Exchange* first, size_t count, Text resource, Text scope_version, Output* output
) noexcept nogil
