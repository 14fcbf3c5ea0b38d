# Exchanges to an ExportTraceServiceRequest.
from levo.engine.core.output cimport Output, Text
from levo.engine.core.types cimport Exchange


cdef size_t otlp_encode(
    const Exchange* first, size_t count, Text resource, Text scope_version, Output* output
) noexcept nogil
