from collections.abc import Callable, Sequence

_Check = Callable[[str], Sequence[str]]

class Prefilter:
    def __init__(
        self,
        email: _Check,
        digits: _Check,
        iban: _Check,
        identifiers: _Check,
        secrets: _Check,
        network: _Check,
        coins: _Check,
    ) -> None: ...
    def check(self, value: str) -> Sequence[str]: ...
