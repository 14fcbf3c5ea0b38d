"""WebSocket (RFC 6455): messages are counted, not kept."""
