"""Sans-IO: text of scripts and bytes of the wire: UTF-8, and what is no UTF-8 comes back as it was."""

from sipcore.script.errors import RouteError


def text(value: bytes | None) -> str:
    """For a script."""
    return "" if value is None else value.decode("utf-8", "surrogateescape")


def wire(value: str | bytes) -> bytes:
    """For the wire."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def one_line(value: str | bytes, what: str) -> bytes:
    """For a header or a start line: a line break in it would let whoever wrote the value write headers."""
    data = wire(value)
    if b"\r" in data or b"\n" in data:
        raise RouteError(f"{what}: {data[:60]!r} has a line break in it")
    return data
