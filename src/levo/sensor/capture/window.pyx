# distutils: libraries = z
"""The octets of a file, a gzip file or a pipe, as a window that a parser walks over.

The window is ``_data[_at:_end]``. For a plain file it is the mapped file, so nothing is copied. For anything else it
is a buffer that ``_fill`` shifts and refills; it grows to the largest record and no further.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, ENOMEM, errno
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset, strerror

from levo.engine.core.source cimport FrameSource

import os
import stat

from levo.errors import CaptureError, CaptureFileError

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* entries, unsigned long count, int timeout_ms)
    short POLLIN

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int fd, void* into, size_t size)
    int close(int fd)

cdef extern from "<sys/stat.h>" nogil:
    struct stat_t "stat":
        long long st_size
    int fstat(int fd, stat_t* result)

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long long offset)
    int munmap(void* address, size_t length)
    int madvise(void* address, size_t length, int advice)
    int PROT_READ
    int MAP_PRIVATE
    int MADV_SEQUENTIAL
    int MADV_DONTNEED
    void* MAP_FAILED

cdef extern from "zlib.h" nogil:
    int inflateInit2(z_stream* stream, int window_bits)
    int inflate(z_stream* stream, int flush)
    int inflateReset(z_stream* stream)
    int inflateEnd(z_stream* stream)
    int Z_OK
    int Z_STREAM_END
    int Z_BUF_ERROR
    int Z_NO_FLUSH

cdef enum:
    FIRST_CAPACITY = 1024 * 1024               # of the buffer of a stream
    INPUT_SIZE = 1024 * 1024                   # not below FIRST_CAPACITY: takes over its octets
    RELEASE_EVERY = 64 * 1024 * 1024           # octets of a mapped file after which its pages are given back


cdef class Window(FrameSource):
    """Base of sources that read a file. One thread at a time."""

    def __cinit__(self, path, **_):
        """Opens nothing yet; ``-`` is standard input."""
        self._fd = -1
        self._data = NULL
        self.path = os.fspath(path)

    def __dealloc__(self):
        self._release()

    # Opening

    cdef _open(self):
        """Open ``path``, mapped where it is a plain file."""
        try:
            if self.path == "-":
                self._fd, self._own_fd = 0, False
            else:
                self._fd, self._own_fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), True
            status = os.fstat(self._fd)
        except OSError as error:
            raise CaptureFileError(f"cannot read the capture file {self.path!r}: {error.strerror}") from None
        if stat.S_ISDIR(status.st_mode):
            raise CaptureFileError(f"cannot read the capture file {self.path!r}: it is a directory")
        if stat.S_ISREG(status.st_mode) and self.path != "-" and status.st_size > 0:
            self._map(status.st_size)
        else:
            self._become_stream()

    cdef _map(self, size_t size):
        cdef void* mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, self._fd, 0)
        if mapping == MAP_FAILED:
            self._become_stream()
            return
        madvise(mapping, size, MADV_SEQUENTIAL)
        self._mapping = mapping
        self._mapped = size
        self._data = <const uint8_t*>mapping
        self._end = size
        self._complete = True

    cdef _become_stream(self):
        if self._buffer == NULL:
            self._buffer = <uint8_t*>malloc(FIRST_CAPACITY)
            if self._buffer == NULL:
                raise MemoryError
            self._capacity = FIRST_CAPACITY
        self._data = self._buffer
        self._at = 0
        self._end = 0
        self._complete = False

    cdef _become_gzip(self):
        """Start inflating at the first octet of the file, part of which may be in the window already."""
        cdef size_t held = self._end if self._mapping == NULL else 0
        self._input = <uint8_t*>malloc(INPUT_SIZE)
        if self._input == NULL:
            raise MemoryError
        if self._mapping != NULL:
            munmap(self._mapping, self._mapped)
            self._mapping = NULL
        elif held:
            memcpy(self._input, self._data, held)
        memset(&self._inflater, 0, sizeof(z_stream))
        if inflateInit2(&self._inflater, 15 + 16) != Z_OK:
            raise MemoryError
        self._gzip = True
        self._gzip_open = True
        self._inflater.next_in = self._input
        self._inflater.avail_in = <unsigned int>held
        self._become_stream()

    cdef _need(self, size_t size):
        """Fill the window to *size* octets where the file has as many; interruptible."""
        cdef int result
        while self._end - self._at < size and not self._complete:
            self._wanted = size
            with nogil:
                result = self._fill(100)
            if result == FILL_ERROR:
                raise self._read_error()
            PyErr_CheckSignals()

    cdef _read_error(self):
        return CaptureError(f"reading {self.path!r} failed: {strerror(self._error).decode('utf-8', 'replace')}")

    # The window

    cdef int _fill(self, int timeout_ms) noexcept nogil:
        """Add octets to the window, waiting at most *timeout_ms* for a pipe: a ``Filled``."""
        cdef int result
        if self._complete:
            return FILL_END
        self._skip_buffered()
        if self._at > 0:
            memmove(self._buffer, self._buffer + self._at, self._end - self._at)
            self._end -= self._at
            self._at = 0
        if self._wanted > self._capacity and not self._grow(self._wanted):
            self._error = ENOMEM
            return FILL_ERROR
        if self._end == self._capacity and not self._grow(self._capacity * 2):
            self._error = ENOMEM
            return FILL_ERROR
        if self._gzip:
            result = self._inflate(timeout_ms)
        else:
            result = self._read(self._buffer + self._end, self._capacity - self._end, timeout_ms)
            if result > 0:
                self._end += <size_t>result
                result = FILL_GOT
        if result == FILL_END:
            self._complete = True
        return result

    cdef bint _skip_buffered(self) noexcept nogil:
        """Pass over what the window holds of an oversized block."""
        cdef size_t here = self._end - self._at
        if self._skip == 0:
            return False
        if here > self._skip:
            here = <size_t>self._skip
        self._at += here
        self._skip -= here
        return True

    cdef bint _grow(self, size_t capacity) noexcept nogil:
        cdef uint8_t* block = <uint8_t*>realloc(self._buffer, capacity)
        if block == NULL:
            return False
        self._buffer = block
        self._data = block
        self._capacity = capacity
        return True

    cdef int _read(self, uint8_t* into, size_t size, int timeout_ms) noexcept nogil:
        """Octets read, 0 at the end, or a negative ``Filled``."""
        cdef pollfd entry
        cdef ssize_t got
        cdef int ready
        entry.fd = self._fd
        entry.events = POLLIN
        entry.revents = 0
        if size > 0x40000000:
            size = 0x40000000
        ready = poll(&entry, 1, timeout_ms)
        if ready == 0:
            return FILL_LATER
        if ready < 0:
            if errno == EINTR:
                return FILL_LATER
            self._error = errno
            return FILL_ERROR
        got = read(self._fd, into, size)
        if got >= 0:
            return <int>got
        if errno == EINTR or errno == EAGAIN:
            return FILL_LATER
        self._error = errno
        return FILL_ERROR

    cdef int _inflate(self, int timeout_ms) noexcept nogil:
        """Inflate into the free part of the buffer (RFC 1952; members may follow each other)."""
        cdef int got
        cdef int code
        while True:
            if self._inflater.avail_in == 0 and not self._input_ended:
                got = self._read(self._input, INPUT_SIZE, timeout_ms)
                if got < 0:
                    return got
                if got == 0:
                    self._input_ended = True
                self._inflater.next_in = self._input
                self._inflater.avail_in = <unsigned int>got
            if not self._gzip_open:
                # Another member, or padding behind the last one, which gzip(1) ignores too.
                if self._inflater.avail_in == 0:
                    return FILL_END
                if self._inflater.next_in[0] != 0x1F or inflateReset(&self._inflater) != Z_OK:
                    return FILL_END
                self._gzip_open = True
            self._inflater.next_out = self._buffer + self._end
            self._inflater.avail_out = <unsigned int>(self._capacity - self._end)
            code = inflate(&self._inflater, Z_NO_FLUSH)
            got = <int>(self._capacity - self._end) - <int>self._inflater.avail_out
            self._end += <size_t>got
            if code == Z_STREAM_END:
                self._gzip_open = False
            elif code != Z_OK and code != Z_BUF_ERROR:
                # Damaged: what came out before stands, nothing after it can.
                return FILL_GOT if got and self._mark_damaged() else self._end_damaged()
            if got:
                return FILL_GOT
            if code != Z_STREAM_END and self._inflater.avail_in == 0 and self._input_ended:
                return self._end_damaged()

    cdef bint _mark_damaged(self) noexcept nogil:
        """Make the next call the end, with the stream still open (counted as cut)."""
        self._inflater.avail_in = 0
        self._input_ended = True
        return True

    cdef int _end_damaged(self) noexcept nogil:
        self._streams_cut += 1
        self._gzip_open = False
        return FILL_END

    cdef void _follow_size(self) noexcept nogil:
        """A mapped file that somebody cuts short must not be read past its new end."""
        cdef stat_t status
        if self._mapping == NULL:
            return
        if fstat(self._fd, &status) == 0 and status.st_size >= 0 and <size_t>status.st_size < self._end:
            self._end = <size_t>status.st_size
            if self._at > self._end:
                self._at = self._end

    cdef void _give_back_pages(self) noexcept nogil:
        """Keep the resident part of a mapped file small, however large the file is."""
        cdef size_t until
        if self._mapping == NULL or self._at - self._released < RELEASE_EVERY:
            return
        until = self._at & ~<size_t>0xFFFF
        madvise(<uint8_t*>self._mapping + self._released, until - self._released, MADV_DONTNEED)
        self._released = until

    cdef void _release(self) noexcept:
        self._data = NULL
        self._at = 0
        self._end = 0
        if self._mapping != NULL:
            munmap(self._mapping, self._mapped)
            self._mapping = NULL
        free(self._buffer)
        self._buffer = NULL
        if self._gzip:
            inflateEnd(&self._inflater)
            self._gzip = False
        free(self._input)
        self._input = NULL
        if self._fd >= 0 and self._own_fd:
            close(self._fd)
        self._fd = -1
