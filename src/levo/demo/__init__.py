"""``levo demo``: a sample API with traffic, watched by a real sensor and cataloged by a real Satellite.

Nothing here is used by the product itself. The sample API and its traffic are pure (messages in, messages
out, one seed), so the same requests go live over loopback, or become a capture file where capturing is not
allowed.
"""
