# distutils: libraries = pcap
"""Capture files: pcap and pcapng, plain, gzip-compressed or from a pipe.

pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng (block names below are its names).

One parser works on a window of octets (``levo.sensor.capture.window``). Frames are handed over where they lie, and
whole records only, so memory is bounded by the largest record.

``_step`` looks at the window and returns

    FRAME    ``_frame`` holds the next record; the window has moved behind it
    AGAIN    something else was passed over; call again
    MORE     the window ends inside a record; ``_wanted`` octets are needed
    KEYS     a Decryption Secrets Block was kept
    STOP     nothing after this can be read
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from levo.engine.core.types cimport Frame, FrameSink
from levo.sensor.capture.bpf cimport Program, bpf_program, program_matches
from levo.sensor.capture.window cimport FILL_ERROR, FILL_LATER, Window

from levo.errors import CaptureFileError
from levo.sensor.capture.filters import check_expression, file_program
from levo.sensor.capture.statistics import FileStatistics

cdef extern from "levo/sensor/capture/ticks.h":
    int64_t levo_ticks_to_ns(uint64_t ticks, int binary, unsigned int exponent, int64_t offset_s) nogil

cdef enum Step:
    FRAME
    AGAIN
    MORE
    KEYS
    STOP

cdef enum Format:
    FORMAT_NONE
    FORMAT_PCAP
    FORMAT_PCAPNG

cdef enum:
    LARGEST_RECORD = 16 * 1024 * 1024 + 64     # as much as any tool writes; a larger length is nonsense
    MOST_SECRETS = 16 * 1024 * 1024            # octets of key logs kept
    MOST_INTERFACES = 65536                    # of one section; Frame.interface has 16 bits

cdef enum:
    BLOCK_SECTION = 0x0A0D0D0A
    BLOCK_INTERFACE = 1
    BLOCK_PACKET = 2
    BLOCK_SIMPLE_PACKET = 3
    BLOCK_ENHANCED_PACKET = 6
    BLOCK_SECRETS = 10
    SECRETS_TLS_KEY_LOG = 0x544C534B
    OPTION_TSRESOL = 9
    OPTION_TSOFFSET = 14

cdef struct Interface:
    const bpf_program* program      # NULL: no filter
    int64_t offset_s
    uint32_t snaplen                # 0: none
    uint16_t link_type
    uint16_t number                 # over all sections
    uint8_t binary                  # time unit is 2**-exponent seconds, else 10**-exponent
    uint8_t exponent

cdef struct Secret:
    uint8_t* data
    uint32_t length

cdef struct Counters:
    uint64_t received
    uint64_t delivered
    uint64_t filtered
    uint64_t truncated
    uint64_t malformed
    uint64_t unread
    uint64_t ignored_blocks
    uint64_t secrets_bytes
    uint64_t secrets_ignored


cdef inline uint32_t read32(const uint8_t* at, bint big) noexcept nogil:
    if big:
        return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]
    return (<uint32_t>at[3] << 24) | (<uint32_t>at[2] << 16) | (<uint32_t>at[1] << 8) | at[0]


cdef inline uint16_t read16(const uint8_t* at, bint big) noexcept nogil:
    if big:
        return <uint16_t>((<uint32_t>at[0] << 8) | at[1])
    return <uint16_t>((<uint32_t>at[1] << 8) | at[0])


cdef inline uint16_t usual_link_type(uint32_t link_type) noexcept nogil:
    """Files written from a DLT_ value hold raw IP as 12 or 14; LINKTYPE_RAW is 101. The upper half is flags."""
    link_type &= 0xFFFF
    return 101 if link_type == 12 or link_type == 14 else <uint16_t>link_type


@cython.final
cdef class FileSource(Window):
    """The frames of one capture file, in the order of the file. One thread at a time."""

    cdef bint _stopped
    cdef int _format
    cdef bint _big
    cdef uint32_t _header_size      # of a pcap record
    cdef bint _nano

    cdef Interface* _interfaces
    cdef uint32_t _interface_count
    cdef uint32_t _interface_capacity
    cdef uint32_t _interfaces_before    # in earlier sections

    cdef Secret* _secrets
    cdef uint32_t _secret_count

    cdef Frame _frame
    cdef const bpf_program* _frame_program
    cdef Counters _counters

    cdef object _filter
    cdef dict _programs             # link type -> Program

    def __cinit__(self, path, *, filter=None):
        """Open *path* (``-``: standard input) and read its header.

        *filter* is a pcap-filter(7) expression, compiled for each link type that the file uses; tagged frames are
        looked into. Raises ``CaptureFileError`` (missing, unreadable, no capture) and ``ConfigError`` (the filter).
        """
        self._frame.data = NULL
        self._filter = filter if filter is not None and filter.strip() else None
        self._programs = {}
        self._open()
        try:
            self._begin()
            if self._filter is not None and not self._programs:
                check_expression(self._filter)
        except BaseException:
            self.close()
            raise

    def __dealloc__(self):
        cdef uint32_t index
        free(self._interfaces)
        for index in range(self._secret_count):
            free(self._secrets[index].data)
        free(self._secrets)

    # Opening

    def _begin(self):
        """Recognize the format. Waits for the first octets of a pipe."""
        self._need(4)
        if self._end >= 2 and self._data[0] == 0x1F and self._data[1] == 0x8B:
            self._become_gzip()
            self._need(4)
        if self._end < 4:
            raise self._no_capture(f"{self._end} octets" if self._end else "it is empty")
        magic = self._data[:4]
        if magic == b"\n\r\r\n":
            self._need(28)
            if self._end < 12 or self._data[8:12] not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                raise self._no_capture("its section header is damaged")
            self._format = FORMAT_PCAPNG
            self._look_ahead()
        elif magic in PCAP_MAGIC:
            self._big, self._nano, self._header_size = PCAP_MAGIC[magic]
            self._need(24)
            if self._end < 24:
                raise self._no_capture("it ends inside its header")
            self._format = FORMAT_PCAP
            self._add_interface(usual_link_type(read32(self._data + 20, self._big)), 0)
            self._at = 24
        else:
            raise self._no_capture(hint(magic))

    cdef _no_capture(self, str reason):
        name = "standard input" if self.path == "-" else repr(self.path)
        return CaptureFileError(f"{name} is no pcap or pcapng capture: {reason}")

    cdef _look_ahead(self):
        """Read pcapng blocks in the window up to the first packet, so that its filters compile before capture."""
        cdef int step
        cdef uint32_t kind
        while not self._stopped:
            if self._end - self._at >= 4:
                kind = read32(self._data + self._at, self._big)
                if kind in (BLOCK_PACKET, BLOCK_SIMPLE_PACKET, BLOCK_ENHANCED_PACKET):
                    return
            step = self._step()
            if step == MORE or step == STOP or step == FRAME:
                return

    # The formats

    cdef int _step(self) except -1 nogil:
        if self._skip:
            if not self._complete:
                self._skip_buffered()
                if self._skip:
                    self._wanted = 1
                    return MORE
                return AGAIN
            return self._pass_skip()
        if self._format == FORMAT_PCAP:
            return self._step_pcap()
        return self._step_pcapng()

    cdef int _pass_skip(self) noexcept nogil:
        if self._skip > self._end - self._at:
            # A part of the record may have been passed over before: it is cut even where nothing is left of it.
            self._skip = 0
            self._counters.truncated += self._end == self._at
            return self._cut()
        self._skip_buffered()
        return AGAIN

    cdef int _cut(self) noexcept nogil:
        """The file ends inside the record at ``_at``, or exactly before it."""
        if self._end > self._at:
            self._counters.truncated += 1
            self._counters.unread += self._end - self._at
            self._at = self._end
        self._stopped = True
        return STOP

    cdef int _damaged(self) noexcept nogil:
        """The record at ``_at`` makes no sense, and nothing says where the next one starts."""
        self._counters.malformed += 1
        self._counters.unread += self._end - self._at
        self._at = self._end
        self._stopped = True
        return STOP

    cdef int _more(self, size_t wanted) noexcept nogil:
        """*wanted* octets are needed from ``_at``; more than the window holds."""
        if self._complete:
            return self._cut()
        self._wanted = wanted
        return MORE

    cdef int _step_pcap(self) noexcept nogil:
        cdef size_t here = self._end - self._at
        cdef const uint8_t* at = self._data + self._at
        cdef uint32_t captured
        cdef uint32_t wire
        cdef uint32_t fraction
        if here < self._header_size:
            return self._more(self._header_size)
        captured = read32(at + 8, self._big)
        if captured > LARGEST_RECORD:
            return self._damaged()
        if here - self._header_size < captured:
            return self._more(self._header_size + captured)
        wire = read32(at + 12, self._big)
        fraction = read32(at + 4, self._big)
        self._frame.data = at + self._header_size
        self._frame.captured_length = captured
        self._frame.wire_length = wire if wire > captured else captured
        self._frame.time_ns = <int64_t>read32(at, self._big) * 1000000000 + (
            <int64_t>fraction if self._nano else <int64_t>fraction * 1000
        )
        self._frame.link_type = self._interfaces[0].link_type
        self._frame.interface = 0
        self._frame_program = self._interfaces[0].program
        self._at += self._header_size + captured
        return FRAME

    cdef int _step_pcapng(self) except -1 nogil:
        """One block: type, total length, body, total length again (ignored)."""
        cdef size_t here = self._end - self._at
        cdef const uint8_t* at = self._data + self._at
        cdef uint32_t kind
        cdef uint32_t total
        cdef uint64_t padded
        cdef int step
        if here < 12:
            return self._more(12)
        kind = read32(at, self._big)
        if kind == BLOCK_SECTION:
            if read32(at + 8, True) == 0x1A2B3C4D:
                self._big = True
            elif read32(at + 8, False) == 0x1A2B3C4D:
                self._big = False
            else:
                return self._damaged()
        total = read32(at + 4, self._big)
        if total < 12:
            return self._damaged()
        padded = (<uint64_t>total + 3) & ~<uint64_t>3
        if padded > LARGEST_RECORD:
            if kind == BLOCK_SECTION or kind == BLOCK_INTERFACE or self._is_packet(kind):
                self._counters.malformed += 1
            elif kind == BLOCK_SECRETS:
                self._counters.secrets_ignored += 1
            else:
                self._counters.ignored_blocks += 1
            self._skip = padded
            return AGAIN
        if here < padded:
            # A writer that pads nothing at the very end of the file still wrote the whole block.
            if not self._complete or here < total:
                return self._more(<size_t>padded)
            padded = here
        step = self._block(kind, at + 8, total - 12)
        self._at += <size_t>padded
        return step

    cdef bint _is_packet(self, uint32_t kind) noexcept nogil:
        return kind == BLOCK_PACKET or kind == BLOCK_SIMPLE_PACKET or kind == BLOCK_ENHANCED_PACKET

    cdef int _block(self, uint32_t kind, const uint8_t* body, uint32_t size) except -1 nogil:
        """A whole block; *size* octets of *body*, padding included."""
        if kind == BLOCK_ENHANCED_PACKET:
            if size < 20:
                return self._malformed()
            return self._packet(body, size, read32(body, self._big))
        if kind == BLOCK_SIMPLE_PACKET:
            return self._simple_packet(body, size)
        if kind == BLOCK_PACKET:
            if size < 20:
                return self._malformed()
            return self._packet(body, size, read16(body, self._big))
        if kind == BLOCK_INTERFACE:
            return self._interface_description(body, size)
        if kind == BLOCK_SECTION:
            self._interfaces_before += self._interface_count
            self._interface_count = 0
            return AGAIN
        if kind == BLOCK_SECRETS:
            return self._keep_secret(body, size)
        self._counters.ignored_blocks += 1
        return AGAIN

    cdef int _malformed(self) noexcept nogil:
        self._counters.malformed += 1
        return AGAIN

    cdef int _packet(self, const uint8_t* body, uint32_t size, uint32_t index) noexcept nogil:
        """Enhanced Packet Block, or the obsolete Packet Block, which differs in the first four octets only."""
        cdef uint32_t captured = read32(body + 12, self._big)
        cdef uint64_t ticks
        cdef Interface* interface
        if captured > size - 20 or index >= self._interface_count:
            return self._malformed()
        interface = &self._interfaces[index]
        ticks = (<uint64_t>read32(body + 4, self._big) << 32) | read32(body + 8, self._big)
        self._frame.time_ns = levo_ticks_to_ns(ticks, interface.binary, interface.exponent, interface.offset_s)
        return self._hand_over(interface, body + 20, captured, read32(body + 16, self._big))

    cdef int _simple_packet(self, const uint8_t* body, uint32_t size) noexcept nogil:
        """It has no time of its own: it gets that of the frame before it. Its interface is the section's first."""
        cdef uint32_t wire
        cdef uint32_t captured
        if size < 4 or self._interface_count == 0:
            return self._malformed()
        wire = read32(body, self._big)
        captured = wire
        if self._interfaces[0].snaplen and captured > self._interfaces[0].snaplen:
            captured = self._interfaces[0].snaplen
        if captured > size - 4:
            captured = size - 4
        return self._hand_over(&self._interfaces[0], body + 4, captured, wire)

    cdef int _hand_over(
        self, const Interface* interface, const uint8_t* data, uint32_t captured, uint32_t wire
    ) noexcept nogil:
        self._frame.data = data
        self._frame.captured_length = captured
        self._frame.wire_length = wire if wire > captured else captured
        self._frame.link_type = interface.link_type
        self._frame.interface = interface.number
        self._frame_program = interface.program
        return FRAME

    cdef int _interface_description(self, const uint8_t* body, uint32_t size) except -1 nogil:
        """Interface Description Block: link type, snap length, options if_tsresol and if_tsoffset."""
        cdef Interface* interface
        cdef uint32_t at = 8
        cdef uint16_t code
        cdef uint16_t length
        cdef bint added
        if size < 8:
            # Packets name interfaces by position, so a damaged one keeps its place.
            self._counters.malformed += 1
        with gil:
            added = self._add_interface(
                usual_link_type(read16(body, self._big)) if size >= 8 else 0xFFFF,
                read32(body + 4, self._big) if size >= 8 else 0,
            )
        if not added:
            return self._malformed()
        interface = &self._interfaces[self._interface_count - 1]
        while at + 4 <= size:
            code = read16(body + at, self._big)
            length = read16(body + at + 2, self._big)
            at += 4
            if code == 0 or length > size - at:
                break
            if code == OPTION_TSRESOL and length >= 1:
                interface.binary = body[at] >> 7
                interface.exponent = body[at] & 0x7F
            elif code == OPTION_TSOFFSET and length >= 8:
                if self._big:
                    interface.offset_s = <int64_t>(
                        (<uint64_t>read32(body + at, True) << 32) | read32(body + at + 4, True)
                    )
                else:
                    interface.offset_s = <int64_t>(
                        (<uint64_t>read32(body + at + 4, False) << 32) | read32(body + at, False)
                    )
            if ((length + 3) & ~3) > size - at:
                break
            at += (length + 3) & ~3
        return AGAIN

    cdef bint _add_interface(self, uint16_t link_type, uint32_t snaplen) except -1:
        """False when there are too many. Compiles the filter for a link type met for the first time."""
        cdef Interface* grown
        cdef Interface* interface
        cdef uint32_t capacity
        cdef uint32_t number = self._interfaces_before + self._interface_count
        cdef Program program
        if self._interface_count >= MOST_INTERFACES:
            return False
        if self._interface_count == self._interface_capacity:
            capacity = self._interface_capacity * 2 if self._interface_capacity else 8
            grown = <Interface*>realloc(self._interfaces, capacity * sizeof(Interface))
            if grown == NULL:
                raise MemoryError
            self._interfaces = grown
            self._interface_capacity = capacity
        interface = &self._interfaces[self._interface_count]
        memset(interface, 0, sizeof(Interface))
        interface.link_type = link_type
        interface.snaplen = snaplen
        interface.exponent = 6
        interface.number = <uint16_t>(number if number < 65535 else 65535)
        if self._filter is not None:
            if link_type not in self._programs:
                self._programs[link_type] = Program(file_program(self._filter, link_type))
            program = self._programs[link_type]
            interface.program = &program.code
        self._interface_count += 1
        return True

    cdef int _keep_secret(self, const uint8_t* body, uint32_t size) noexcept nogil:
        """Decryption Secrets Block: type, length, secrets. A TLS key log is kept as it stands."""
        cdef uint32_t length
        cdef uint8_t* copy
        cdef Secret* grown
        if size < 8:
            return self._malformed()
        length = read32(body + 4, self._big)
        if length > size - 8:
            return self._malformed()
        if (
            read32(body, self._big) != SECRETS_TLS_KEY_LOG
            or length == 0
            or self._counters.secrets_bytes + length > MOST_SECRETS
        ):
            self._counters.secrets_ignored += 1
            return AGAIN
        copy = <uint8_t*>malloc(length)
        grown = <Secret*>realloc(self._secrets, (self._secret_count + 1) * sizeof(Secret))
        if grown != NULL:
            self._secrets = grown
        if copy == NULL or grown == NULL:
            free(copy)
            self._counters.secrets_ignored += 1
            return AGAIN
        memcpy(copy, body + 8, length)
        self._secrets[self._secret_count].data = copy
        self._secrets[self._secret_count].length = length
        self._secret_count += 1
        self._counters.secrets_bytes += length
        return KEYS

    # Handing over

    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil:
        """As in ``FrameSource``. Returns early, perhaps with 0, behind a Decryption Secrets Block, so that the
        keys can be fetched from ``secrets`` before the frames that need them. Raises ``CaptureError`` when reading
        fails, ``ConfigError`` when the filter cannot be compiled for a link type that appears late."""
        cdef int passed = 0
        cdef int filled
        cdef int step
        cdef int wait_ms = timeout_ms
        cdef int64_t steps = <int64_t>limit * 8 + 4096
        if self._stopped or self._data == NULL:
            return -1
        self._follow_size()
        while passed < limit and steps > 0:
            steps -= 1
            step = self._step()
            if step == FRAME:
                self._counters.received += 1
                if self._frame_program != NULL and not program_matches(
                    self._frame_program, self._frame.data, self._frame.captured_length, self._frame.wire_length
                ):
                    self._counters.filtered += 1
                    continue
                self._counters.delivered += 1
                passed += 1
                sink(context, &self._frame)
            elif step == MORE:
                # Frames already passed are not held back by waiting for others.
                filled = self._fill(0 if passed else wait_ms)
                if filled == FILL_LATER:
                    break
                if filled == FILL_ERROR:
                    with gil:
                        raise self._read_error()
                wait_ms = 0
            elif step == KEYS or step == STOP:
                break
        self._give_back_pages()
        if passed == 0 and self._stopped:
            return -1
        return passed

    # Looking at it

    @property
    def secrets(self):
        """TLS key logs of the Decryption Secrets Blocks read so far, in file order (list of bytes)."""
        cdef uint32_t index
        return [
            self._secrets[index].data[:self._secrets[index].length] for index in range(self._secret_count)
        ]

    @property
    def secrets_total(self):
        """Number of ``secrets``; cheap to poll."""
        return self._secret_count

    @property
    def truncated_records(self):
        """Records, or gzip streams, that the end of the file cuts: 0 or 1."""
        return 1 if self._counters.truncated or self._streams_cut else 0

    def statistics(self):
        """A ``FileStatistics``."""
        return FileStatistics(
            received=self._counters.received,
            delivered=self._counters.delivered,
            filtered=self._counters.filtered,
            truncated_records=self.truncated_records,
            malformed_records=self._counters.malformed,
            unread_bytes=self._counters.unread,
            ignored_blocks=self._counters.ignored_blocks,
            secrets_bytes=self._counters.secrets_bytes,
            secrets_ignored=self._counters.secrets_ignored,
        )

    def close(self):
        """Release the file; nothing comes after this. Legal twice. Secrets and counters stay readable."""
        self._stopped = True
        self._release()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()


# First four octets of a pcap file -> (big-endian, nanoseconds, size of a record's header). The third pair is the
# "modified" format of old Linux tools: eight octets more in each record.
PCAP_MAGIC = {
    b"\xd4\xc3\xb2\xa1": (False, False, 16),
    b"\xa1\xb2\xc3\xd4": (True, False, 16),
    b"\x4d\x3c\xb2\xa1": (False, True, 16),
    b"\xa1\xb2\x3c\x4d": (True, True, 16),
    b"\x34\xcd\xb2\xa1": (False, False, 24),
    b"\xa1\xb2\xcd\x34": (True, False, 24),
}


cdef str hint(bytes magic):
    if magic == b"\x28\xb5\x2f\xfd":
        return "it is compressed with zstd; decompress it first (gzip is read as it is)"
    if magic == b"\xfd7zX":
        return "it is compressed with xz; decompress it first (gzip is read as it is)"
    if magic[:3] == b"BZh":
        return "it is compressed with bzip2; decompress it first (gzip is read as it is)"
    if magic == b"\x04\x22\x4d\x18":
        return "it is compressed with lz4; decompress it first (gzip is read as it is)"
    if magic[:2] == b"PK":
        return "it is a zip archive; unpack it first"
    if magic == b"snoo":
        return "it is a snoop file; convert it with editcap"
    return "it does not start like one"
