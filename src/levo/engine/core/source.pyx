"""Where frames and secrets come from, as the engine sees it. Implementations live in ``levo.sensor.capture``."""


cdef class FrameSource:
    """Hands link-layer frames to a sink, in capture order, without copying them."""

    cdef int pump(self, FrameSink sink, void* context, int limit, int timeout_ms) except -2 nogil:
        """Pass at most *limit* frames to *sink*, waiting at most *timeout_ms* for the first.

        Returns the number of frames passed, 0 when none came in time, -1 when there will be none.
        A frame's octets are valid only inside its sink call.
        """
        return -1


cdef class KeySource:
    """Has secrets of TLS connections, some a little later than the packets that need them."""
