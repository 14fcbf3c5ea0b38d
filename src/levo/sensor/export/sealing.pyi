from typing import Self

from typing_extensions import Buffer

KEY_BYTES: int
NONCE_BYTES: int
TAG_BYTES: int

class Sealer:
    def __new__(cls, key: bytes) -> Self: ...
    def seal(self, nonce: bytes, extra: bytes, plain: Buffer) -> bytes: ...
    def open(self, nonce: bytes, extra: bytes, sealed: Buffer) -> bytes | None: ...
