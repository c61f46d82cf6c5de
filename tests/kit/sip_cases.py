"""IO shell: plays a corpus of SIP messages: what the parser makes of each stands in its cases.toml."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sipcore.errors import ParseError
from sipcore.message import Edit, NameAddr, Request, Response, Uri, parse
from sipcore.transport.layer import response_hop

Case = dict[str, Any]


def load(folder: Path) -> list[Any]:
    """One parameter set per case: its message and what is expected."""
    cases = tomllib.loads((folder / "cases.toml").read_text())
    return [
        pytest.param((folder / "data" / f"{name}.dat").read_bytes(), case, id=name)
        for name, case in cases.items()
    ]


def play(data: bytes, case: Case) -> None:
    """Parse, and compare everything that the case speaks of."""
    if "error" in case:
        with pytest.raises(ParseError) as caught:
            parse(data)
        assert [caught.value.status, caught.value.reason] == case["error"]
        assert (caught.value.partial is not None) is case.get("answerable", True)
        return
    message = parse(data)
    assert (Edit(message).build() == data) is not case.get("trailing", False)
    for key, expected in case.items():
        if key not in {"section", "allowed", "wire", "answer", "trailing"}:
            assert seen(message, key, expected) == expected, key


def seen(message: Request | Response, key: str, expected: Any) -> Any:
    """What the message has of the thing that a case names."""
    if key in {"first", "count", "values"}:
        return {name: _header(message, key, name.encode()) for name in expected}
    if key == "contact":
        contact = NameAddr.parse(message.values(b"contact")[0])
        params = {name.decode(): (value or b"").decode() for name, value in contact.params.items()}
        return {
            "uri": contact.uri.decode(),
            "params": {k: v for k, v in params.items() if k in expected["params"]},
        }
    if key == "via":
        return bytes(message.top_via).decode()
    if key == "response_hop":
        return response_hop(message.top_via, 0).host
    if key == "body_length":
        return len(message.body)
    if key == "to_aor":
        return Uri.parse(NameAddr.parse(message.first(b"to") or b"").uri).aor().decode()
    return _field(message, key)


def _header(message: Request | Response, key: str, name: bytes) -> Any:
    if key == "first":
        return (message.first(name) or b"").decode()
    values = [value.decode() for value in message.values(name)]
    return len(values) if key == "count" else values


def _field(message: Request | Response, key: str) -> Any:
    if key in {"user", "host", "port", "aor"}:
        assert isinstance(message, Request)
        uri = Uri.parse(message.uri)
        value = {"user": uri.user, "host": uri.host, "port": uri.port or 0, "aor": uri.aor()}[key]
    else:
        value = getattr(message, key)
    return value.decode() if isinstance(value, bytes) else value
