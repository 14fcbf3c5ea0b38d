"""Files in which other tools keep exchanges, as entries of a HAR document, which ``har.read_har`` reads.

So what cannot be used is counted by the same reasons, whatever the file is.
"""

from __future__ import annotations

from levo.satellite.learn.recordings.burp import burp_entries
from levo.satellite.learn.recordings.mitmproxy import mitmproxy_entries
from levo.satellite.learn.recordings.postman import is_postman, postman_entries

__all__ = ["burp_entries", "is_postman", "mitmproxy_entries", "postman_entries"]
