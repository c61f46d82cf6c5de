"""Sans-IO: the little TOML that a converted file needs: tables of strings, numbers, booleans and lists."""

import json
from collections.abc import Mapping, Sequence

Value = str | int | float | bool | Sequence[str]


def table(name: str, values: Mapping[str, Value]) -> str:
    """One table with its header."""
    return "\n".join([name, *(f"{key} = {_value(value)}" for key, value in values.items())]) + "\n"


def commented(text: str) -> str:
    """The same as comments."""
    return "".join(f"# {line}\n" for line in text.splitlines())


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    return f"[{', '.join(map(_string, value))}]"


def _string(text: str) -> str:
    """JSON's strings are TOML's, but for the one control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
