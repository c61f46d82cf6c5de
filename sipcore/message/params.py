"""Sans-IO: generic-param lists, quoted strings and comma-separated values (RFC 3261 section 25.1)."""

import re

from sipcore.errors import ParseError
from sipcore.message.limits import LIMITS, over

Params = dict[bytes, bytes | None]

# A parameter stands once (section 7.3.1); with two of these two readers would see two dialogs.
_IDENTIFYING = (b"tag", b"branch")
_SPECIAL = re.compile(rb'["<>,\\]')
_QUOTED_PARAM_SPECIAL = re.compile(rb'["\\;]')
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


def split_values(value: bytes) -> list[bytes]:
    """Split at the commas that are outside of quotes and angle brackets."""
    if b"," not in value:
        return [value]
    return [value[start:end].strip() for start, end in value_spans(value)]


def value_spans(value: bytes) -> list[tuple[int, int]]:
    """Where each comma-separated value begins and ends, white space included."""
    spans = []
    start = 0
    quoted = angled = False
    at = 0
    while (found := _SPECIAL.search(value, at)) is not None:
        at = found.end()
        sign = found.group()
        if sign == b"\\" and quoted:
            at += 1
        elif sign == b'"' and not angled:
            quoted = not quoted
        elif quoted:
            continue
        elif sign == b"<":
            angled = True
        elif sign == b">":
            angled = False
        elif sign == b"," and not angled:
            spans.append((start, at - 1))
            start = at
            if len(spans) == LIMITS.values:
                raise over("values")
    spans.append((start, len(value)))
    return spans


def plain_params(text: bytes, params: Params) -> None:
    """Add `;name=value;flag` to a dict, for text that has neither quotes nor white space."""
    parts = text.split(b";", LIMITS.params + 1)
    if len(parts) + len(params) > LIMITS.params + 1:
        raise over("params")
    for part in parts[1:]:
        name, equals, value = part.partition(b"=")
        name = name.lower()
        if name in params and name in _IDENTIFYING:
            raise _twice(name)
        params[name] = value if equals else None


def parse_params(text: bytes) -> Params:
    """`;name=value;flag` to a dict: names in lower case, no white space round `=` and `;`, quotes kept."""
    params: Params = {}
    text = text.removeprefix(b";")
    parts = text.split(b";", LIMITS.params) if b'"' not in text else _split_quoted(text, LIMITS.params)
    if len(parts) > LIMITS.params:
        raise over("params")
    for part in parts:
        name, equals, value = part.partition(b"=")
        name = name.strip().lower()
        if name:
            if name in params and name in _IDENTIFYING:
                raise _twice(name)
            params[name] = value.strip() if equals else None
        elif equals:
            raise ParseError("Parameter without a name")
    return params


def join_params(params: Params) -> bytes:
    """The inverse of `parse_params`."""
    return b"".join([b";" + (n if v is None else n + b"=" + v) for n, v in params.items()])


def unquote(text: bytes) -> bytes:
    """The text of a quoted-string; other text as it is."""
    if len(text) >= 2 and text[:1] == b'"' == text[-1:]:
        return _ESCAPE.sub(rb"\1", text[1:-1])
    return text


def _twice(name: bytes) -> ParseError:
    return ParseError(f"Two {name.decode()} parameters")


def _split_quoted(text: bytes, most: int) -> list[bytes]:
    parts: list[bytes] = []
    start = at = 0
    quoted = False
    while (found := _QUOTED_PARAM_SPECIAL.search(text, at)) is not None:
        at = found.end()
        sign = found.group()
        if sign == b"\\":
            at += quoted
        elif sign == b'"':
            quoted = not quoted
        elif not quoted:
            parts.append(text[start : at - 1])
            start = at
            if len(parts) > most:
                break
    if quoted:
        raise ParseError("Unbalanced quotes")
    parts.append(text[start:])
    return parts
