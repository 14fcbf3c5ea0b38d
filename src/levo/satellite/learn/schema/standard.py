"""Names that published standards define, which need no proof that they are names."""

from __future__ import annotations

from importlib.resources import files
from mimetypes import MimeTypes

FILE = "standard_names.txt"


def _read() -> frozenset[str]:
    lines = files(__package__).joinpath(FILE).read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith(("[", "# ")) for name in line.split())


_OTHER_MEDIA = (
    "*/*", "application/graphql-response+json", "application/grpc", "application/grpc+proto", "application/grpc-web",
    "application/grpc-web+proto", "application/grpc-web-text", "application/hal+json", "application/json-patch+json",
    "application/jsonl", "application/merge-patch+json", "application/ndjson", "application/problem+json",
    "application/problem+xml", "application/protobuf", "application/scim+json", "application/soap+xml",
    "application/vnd.api+json", "application/x-ndjson", "application/x-protobuf", "application/x-www-form-urlencoded",
    "application/graphql", "application/json-seq", "application/ld+json", "application/geo+json", "application/jose",
    "application/jwt", "application/cbor", "application/msgpack", "application/atom+xml", "application/rss+xml",
    "application/x-yaml", "application/yaml", "multipart/form-data", "multipart/mixed", "multipart/related",
    "multipart/alternative", "multipart/byteranges", "text/event-stream", "text/json", "text/yaml", "text/csv",
)  # fmt: skip
STANDARD_NAMES = _read().union(MimeTypes(()).types_map[1].values(), _OTHER_MEDIA)
"""Compared as they are written (header fields and media types: lower case). Media types are those that Python
knows, and others of the IANA registry."""
