from collections.abc import Callable, Sequence

Check = Callable[[str], Sequence[str]]

class Prefilter:
    def __init__(
        self,
        email: Check,
        digits: Check,
        iban: Check,
        identifiers: Check,
        secrets: Check,
        network: Check,
        coins: Check,
    ) -> None: ...
    def check(self, value: str, /) -> Sequence[str]: ...
