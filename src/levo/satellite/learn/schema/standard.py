"""Names that published standards define, which need no proof that they are names."""

from __future__ import annotations

from importlib.resources import files
from mimetypes import MimeTypes

FILE = "standard_names.txt"


def _read() -> frozenset[str]:
    lines = files(__package__).joinpath(FILE).read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith(("[", "# ")) for name in line.split())


_OTHER_MEDIA = (
    "*/*", "application/atom+xml", "application/cbor", "application/geo+json", "application/graphql",
    "application/graphql-response+json", "application/grpc", "application/grpc+proto",
    "application/grpc-web", "application/grpc-web+proto", "application/grpc-web-text",
    "application/hal+json", "application/jose", "application/json-patch+json", "application/json-seq",
    "application/jsonl", "application/jwt", "application/ld+json", "application/merge-patch+json",
    "application/msgpack", "application/ndjson", "application/problem+json", "application/problem+xml",
    "application/protobuf", "application/rss+xml", "application/scim+json", "application/soap+xml",
    "application/vnd.api+json", "application/x-ndjson", "application/x-protobuf",
    "application/x-www-form-urlencoded", "application/x-yaml", "application/yaml",
    "multipart/alternative", "multipart/byteranges", "multipart/form-data", "multipart/mixed",
    "multipart/related", "text/csv", "text/event-stream", "text/json", "text/yaml",
)  # fmt: skip
STANDARD_NAMES = _read().union(MimeTypes(()).types_map[1].values(), _OTHER_MEDIA)
"""Compared as they are written (header fields and media types: lower case). Media types are those that Python
knows, and others of the IANA registry."""
