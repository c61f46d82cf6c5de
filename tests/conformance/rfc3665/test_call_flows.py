"""IO shell: every message of the call flows of RFC 3665 is read, and leaves as it came."""

from pathlib import Path

import pytest

from sipcore.message import Edit, NameAddr, Request, Uri, parse

MESSAGES = sorted((Path(__file__).parent / "data").glob("*.sip"))


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_a_message_of_a_call_flow_is_read_and_leaves_as_it_came(path: Path) -> None:
    data = path.read_bytes()
    message = parse(data)
    assert message.raw == Edit(message).build() == data
    assert message.top_via.branch.startswith(b"z9hG4bK")
    assert message.from_tag
    if isinstance(message, Request):
        assert Uri.parse(message.uri).scheme in {b"sip", b"sips"}
    for value in message.values(b"contact") + message.values(b"record-route"):
        assert value == b"*" or Uri.parse(NameAddr.parse(value).uri).host


def test_the_flows_are_complete() -> None:
    assert len(MESSAGES) == 64
