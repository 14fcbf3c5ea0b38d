"""The page about the filter language: ``python -m levo.satellite.query.page > docs/reference/filters.md``."""

from __future__ import annotations

import sys

from levo.satellite.query.fields import (
    COMPARED,
    ENDPOINTS,
    EXPECTED,
    FINDINGS,
    MAX_STARS,
    Field,
    Fields,
    Kind,
)
from levo.satellite.query.parse import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS

_HEAD = f"""\
# Filters

<!-- Made by: python -m levo.satellite.query.page > docs/reference/filters.md -->

One small language says which endpoints or findings are meant: in the search box of the catalog and of the
posture page, and as `filter=` in `/catalog`, `/posture`, `/api/endpoints` and `/api/findings`, also with
`format=csv`.

```text
method:post auth:none sensitive:email env:production status:5xx callers>10 first-seen<7d p95>200ms
-method:get (host:*.example.com or application:shop) "free words"
```

| what is written | what it means |
| --- | --- |
| `users` | free words: they occur somewhere in the fields named below, in any case |
| `"two words"` | the same with spaces or other signs in it; `\\"` and `\\\\` are a quote and a backslash |
| `field:value` | the field has this value, in any case; `*` in a text stands for any number of characters |
| `field:one,other` | the field has one of these values |
| `field>10`, `>=`, `<`, `<=` | the field is greater or less, where it has an order |
| `a b`, `a and b` | both |
| `a or b` | one of them at least; what is joined by nothing or by `and` binds closer |
| `-a`, `not a` | the opposite |
| `(a or b) c` | parentheses group |

A value with a space, a comma, a quote or a parenthesis, or that begins with one of `-:<>=`, stands in quotes.
So does a word `and`, `or` or `not` that is meant as such. Where a thing has several values of a field, as an
endpoint has several statuses, one of them has to fit; `-status:5xx` therefore says that none does. Of what is
not known no comparison is true, so its opposite is.

A filter that cannot be read is refused with the column, counted from 1, and what was expected there. It has
at most {MAX_CHARACTERS:,} characters, {MAX_TERMS} words and comparisons and {MAX_DEPTH} levels of parentheses
and negations, and a value has at most {MAX_STARS} of `*`.
"""


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([_HEAD, *map(_section, (ENDPOINTS, FINDINGS))])


def _section(fields: Fields) -> str:
    rows = "".join(
        f"| `{each.name}` | {_values(each)} | {each.meaning}{_aliases(each)} | `{each.example}` |\n"
        for each in fields.all
    )
    words = ", ".join(f"`{name}`" for name in fields.words)
    return (
        f"## Fields of {fields.what}\n\nFree words are looked for in {words}.\n\n"
        f"| field | values | meaning | example |\n| --- | --- | --- | --- |\n{rows}"
    )


def _aliases(field: Field) -> str:
    return "".join(f"; also `{name}`" for name in field.aliases)


def _values(field: Field) -> str:
    if field.choices:
        order = ", with this order" if field.kind is Kind.LEVEL else ""
        return ", ".join(f"`{each}`" for each in field.choices) + order
    return EXPECTED.get(field.kind, str(field.kind)) + (", compared" if field.kind in COMPARED else "")


if __name__ == "__main__":
    sys.stdout.write(page())
