"""Sans-IO: telephone numbers of tel URIs: form and comparison (RFC 3966 sections 3 and 4).

Deviations: a local number without phone-context is read (section 5.1.5 wants one); phones leave it out.
"""

import re

from sipcore.errors import ParseError
from sipcore.message.params import Params

_SEPARATORS = b"-.()"
_NUMBER = re.compile(rb"(?:\+[0-9().-]*+|[0-9A-Fa-f*#().-]++)\Z")
_NUMERIC = (b"ext", b"phone-context")


def check_number(number: bytes) -> None:
    """Raise ParseError for what is neither a global nor a local number."""
    if not _NUMBER.match(number) or not number.strip(b"+" + _SEPARATORS):
        raise ParseError("Bad tel URI")


def canonical(number: bytes) -> bytes:
    """Without visual separators, in lower case: what a comparison looks at."""
    return number.translate(None, _SEPARATORS).lower()


def same_params(one: Params, other: Params) -> bool:
    """Section 4: every parameter of one is there in the other, in any order and case."""
    return _comparable(one) == _comparable(other)


def _comparable(params: Params) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {}
    for name, value in params.items():
        # a phone-context is a number, or a domain in which dots and hyphens count
        is_number = value is not None and name in _NUMERIC and (name == b"ext" or value[:1] == b"+")
        found[name] = value and (canonical(value) if is_number else value.lower())
    return found
