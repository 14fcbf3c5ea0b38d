"""One codec of what both halves send, receive and show: protobuf, OTLP and the Prometheus text.

``protobuf`` is the wire format, ``schema`` the tags of OTLP: both for Python and, as ``.pxd``,
for compiled code.
"""
