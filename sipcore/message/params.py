"""Sans-IO: generic-param lists, quoted strings and comma-separated values (RFC 3261 section 25.1)."""

import re

from sipcore.errors import ParseError

Params = dict[bytes, bytes | None]

_SPECIAL = re.compile(rb'["<>,\\]')


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
        elif sign == b'"':
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
    spans.append((start, len(value)))
    return spans


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
            raise ParseError("parameter without a name")
    return params


def join_params(params: Params) -> bytes:
    """The inverse of `parse_params`."""
    return b"".join(b";" + (n if v is None else n + b"=" + v) for n, v in params.items())


def unquote(text: bytes) -> bytes:
    """The text of a quoted-string; other text as it is."""
    if len(text) >= 2 and text[:1] == b'"' == text[-1:]:
        return re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)
    return text


def _split_quoted(text: bytes) -> list[bytes]:
    parts = []
    start = 0
    quoted = False
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == 0x5C and quoted:
            at += 1
        elif sign == 0x22:
            quoted = not quoted
        elif sign == 0x3B and not quoted:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts
