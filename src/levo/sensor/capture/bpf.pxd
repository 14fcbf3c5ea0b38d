# Declarations of libpcap's filter machine, and the compiled program that capture files are filtered with.
from libc.stdint cimport uint8_t, uint32_t

cdef extern from "pcap/pcap.h":
    ctypedef struct pcap_t:
        pass

    struct timeval:
        long tv_sec
        long tv_usec

    struct bpf_insn:
        unsigned short code
        unsigned char jt
        unsigned char jf
        unsigned int k

    struct bpf_program:
        unsigned int bf_len
        bpf_insn* bf_insns

    struct pcap_pkthdr:
        timeval ts
        unsigned int caplen
        unsigned int len

    int pcap_offline_filter(const bpf_program* program, const pcap_pkthdr* header, const unsigned char* data) nogil


cdef class Program:
    """A filter program. ``code`` is owned by it and never changes after construction."""

    cdef bpf_program code

    cdef inline bint matches(self, const uint8_t* data, uint32_t captured_length, uint32_t wire_length) noexcept nogil:
        return program_matches(&self.code, data, captured_length, wire_length)


cdef inline bint program_matches(
    const bpf_program* program, const uint8_t* data, uint32_t captured_length, uint32_t wire_length
) noexcept nogil:
    """Run *program* over one frame. Reads nothing past *captured_length* (libpcap's interpreter checks it)."""
    cdef pcap_pkthdr header
    header.ts.tv_sec = 0
    header.ts.tv_usec = 0
    header.caplen = captured_length
    header.len = wire_length
    return pcap_offline_filter(program, &header, data) != 0


cdef list instructions_of(const bpf_program* program)
cdef int dlt_of(int link_type) noexcept nogil
cdef int link_type_of(int dlt) noexcept nogil
