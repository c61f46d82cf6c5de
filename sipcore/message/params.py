"""Sans-IO: generic-param lists, quoted strings and comma-separated values (RFC 3261 section 25.1)."""

import re

from sipcore.errors import ParseError

Params = dict[bytes, bytes | None]

MAX_VALUES = 256
"""Comma-separated values of one header line."""

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
            if len(spans) == MAX_VALUES:
                raise ParseError(f"More than {MAX_VALUES} values in a header line")
    spans.append((start, len(value)))
    return spans


def plain_params(text: bytes) -> Params:
    """`;name=value;flag` to a dict, for text that has neither quotes nor white space."""
    params: Params = {}
    for part in text[1:].split(b";"):
        name, equals, value = part.partition(b"=")
        params[name.lower()] = value if equals else None
    return params


def parse_params(text: bytes) -> Params:
    """`;name=value;flag` to a dict: names in lower case, no white space round `=` and `;`, quotes kept."""
    params: Params = {}
    parts = text.split(b";") if b'"' not in text else _split_quoted(text)
    for part in parts:
        name, equals, value = part.partition(b"=")
        name = name.strip().lower()
        if name:
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


def _split_quoted(text: bytes) -> list[bytes]:
    parts = []
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
    if quoted:
        raise ParseError("Unbalanced quotes")
    parts.append(text[start:])
    return parts
