from collections.abc import Callable

def value_key(segment: str, first: bool) -> str | None: ...
def keys_of(
    segments: list[str],
    may_be_version: Callable[[list[str], int], bool],
    pattern_key: Callable[[str, bool], str],
) -> list[str]: ...
