# distutils: libraries = pcap
"""Filter expressions of pcap-filter(7), compiled by libpcap into programs of the BPF machine.

A program is a list of instructions ``(code, jt, jf, k)``, so that ``levo.sensor.capture.filters`` can join
programs; ``Program`` is one ready to run over frames.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from levo.errors import ConfigError, Problem

cdef extern from "pcap/pcap.h":
    pcap_t* pcap_open_dead(int link_type, int snaplen)
    void pcap_close(pcap_t* handle)
    int pcap_compile(pcap_t* handle, bpf_program* program, const char* text, int optimize, unsigned int netmask)
    void pcap_freecode(bpf_program* program)
    char* pcap_geterr(pcap_t* handle)
    unsigned int PCAP_NETMASK_UNKNOWN

cdef extern from "pcap/bpf.h":
    int bpf_validate(const bpf_insn* code, int length)

SNAPLEN = 262144
"""What a program returns for a frame to keep; the largest length libpcap takes."""

cdef unsigned int MOST_INSTRUCTIONS = 4096  # BPF_MAXINSNS of the kernel


cdef int dlt_of(int link_type) noexcept nogil:
    """The DLT_ value of this platform for a LINKTYPE_ value of a capture file."""
    if link_type == 101:
        return 12
    if link_type == 100:
        return 11
    if link_type == 102:
        return 15
    if link_type == 103:
        return 16
    if link_type == 106:
        return 19
    return link_type


cdef int link_type_of(int dlt) noexcept nogil:
    """The LINKTYPE_ value for a DLT_ value of this platform; the inverse of ``dlt_of``."""
    if dlt == 12:
        return 101
    if dlt == 11:
        return 100
    if dlt == 15:
        return 102
    if dlt == 16:
        return 103
    if dlt == 19:
        return 106
    return dlt


cdef list instructions_of(const bpf_program* program):
    cdef unsigned int index
    found = []
    for index in range(program.bf_len):
        found.append(
            (
                program.bf_insns[index].code,
                program.bf_insns[index].jt,
                program.bf_insns[index].jf,
                program.bf_insns[index].k,
            )
        )
    return found


class ExpressionError(ValueError):
    """libpcap's message about an expression."""


def compile_expression(str text, int link_type=1, int snaplen=SNAPLEN):
    """Compile *text* for frames of *link_type* (LINKTYPE_ value) in a capture file.

    Returns the instructions as ``(code, jt, jf, k)``. Raises ``ExpressionError`` with libpcap's message.
    """
    cdef bpf_program program
    cdef pcap_t* handle
    if "\0" in text:
        raise ExpressionError("it holds a NUL character")
    octets = text.encode("utf-8", "surrogateescape")
    handle = pcap_open_dead(dlt_of(link_type), snaplen)
    if handle == NULL:
        raise MemoryError
    try:
        if pcap_compile(handle, &program, octets, 1, PCAP_NETMASK_UNKNOWN) != 0:
            raise ExpressionError(pcap_geterr(handle).decode("utf-8", "replace"))
        try:
            return instructions_of(&program)
        finally:
            pcap_freecode(&program)
    finally:
        pcap_close(handle)


cdef class Program:
    """Instructions, checked and ready to run."""

    def __cinit__(self, instructions):
        """Raises ``ConfigError`` when there are more than the kernel takes, ``ValueError`` when a jump leaves
        the program."""
        cdef unsigned int index
        cdef unsigned int count = len(instructions)
        self.code.bf_insns = NULL
        if count > MOST_INSTRUCTIONS:
            raise ConfigError(
                Problem(
                    "--filter",
                    f"the expression compiles to {count} instructions, the kernel takes {MOST_INSTRUCTIONS}: "
                    "shorten it",
                )
            )
        self.code.bf_insns = <bpf_insn*>calloc(count if count else 1, sizeof(bpf_insn))
        if self.code.bf_insns == NULL:
            raise MemoryError
        self.code.bf_len = count
        for index, (code, jt, jf, k) in enumerate(instructions):
            self.code.bf_insns[index].code = code
            self.code.bf_insns[index].jt = jt
            self.code.bf_insns[index].jf = jf
            self.code.bf_insns[index].k = k
        if not bpf_validate(self.code.bf_insns, <int>count):
            raise ValueError("the filter program is not valid")

    def __dealloc__(self):
        free(self.code.bf_insns)

    def __len__(self):
        return self.code.bf_len

    @property
    def instructions(self):
        """List of ``(code, jt, jf, k)``."""
        return instructions_of(&self.code)

    def match(self, const uint8_t[::1] frame, wire_length=None):
        """Whether one frame passes. *wire_length* defaults to the frame's length."""
        cdef uint32_t size = <uint32_t>frame.shape[0]
        cdef uint32_t on_wire = size if wire_length is None else wire_length
        return self.matches(&frame[0] if size else NULL, size, on_wire)
