from collections.abc import Iterable
from typing import final

from levo.satellite.learn.schema.names import Message
from levo.satellite.learn.schema.node import Check, Node

@final
class Observer:
    def __init__(
        self,
        checks: Iterable[Check] = (),
        budget: int = ...,
        key: bytes = b"",
        path: str = "",
        request: str = "",
        message: Message | None = None,
    ) -> None: ...
    def observe(self, node: Node, value: object) -> None: ...

def text_format(value: str) -> str: ...
def scalar(text: str) -> str | int | float | bool: ...
