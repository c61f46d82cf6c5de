"""Sans-IO: one function per parser: it takes any bytes; what it raises beside ALLOWED is a fault."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sipcore.auth.digest import parse_credentials
from sipcore.config import parse_config
from sipcore.errors import ConfigError, ParseError, ReplicationError
from sipcore.message import Edit, NameAddr, Request, Uri, Via, build_response, parse
from sipcore.message.params import join_params, parse_params, split_values
from sipcore.message.sdp import Sdp, find
from sipcore.message.typed import RAck, SessionExpires, TokenValue
from sipcore.replication.frame import FrameReader
from sipcore.transport.framing import Framing
from sipcore.transport.stun import binding_response
from tests.kit.sip_messages import INVITE_880, OK_760, SDP, request

ROOT = Path(__file__).parents[2]
Target = Callable[[bytes], object]


def message(data: bytes) -> None:
    """What was read is written as it came, is read alike again, and can be answered."""
    try:
        first = parse(data)
    except ParseError as error:
        if isinstance(error.partial, Request):
            build_response(error.partial, error.status, to_tag=b"t")
        return
    assert Edit(first).build() == first.raw
    assert first.raw in data
    again = parse(first.raw)
    assert (again.raw, again.branch, again.call_id, again.cseq, again.from_tag, again.to_tag) == (
        first.raw,
        first.branch,
        first.call_id,
        first.cseq,
        first.from_tag,
        first.to_tag,
    )
    assert first.branch == first.top_via.branch
    with suppress(ParseError):
        for name in first.first_lines.keys() - {b":"}:
            first.values(name)
    if isinstance(first, Request):
        assert parse(build_response(first, 200, to_tag=b"t")).to_tag == (first.to_tag or b"t")


def uri(data: bytes) -> None:
    """Written and read again it is the same URI, and equal to itself."""
    value = Uri.parse(data)
    assert value.matches(value)
    value.aor()
    if value.scheme in (b"sip", b"sips", b"tel"):
        assert Uri.parse(bytes(value)) == value


def via(data: bytes) -> None:
    """Written and read again it is the same Via."""
    value = Via.parse(data)
    assert Via.parse(bytes(value)) == value


def name_addr(data: bytes) -> None:
    """Written and read again it is the same address."""
    value = NameAddr.parse(data)
    assert NameAddr.parse(bytes(value)) == value


def typed(data: bytes) -> None:
    """Written and read again each kind of value is the same."""
    for kind in (TokenValue, SessionExpires, RAck):
        with suppress(ParseError):
            value = kind.parse(data)
            assert kind.parse(bytes(value)) == value


def params(data: bytes) -> None:
    """Parameters and comma lists."""
    value = parse_params(data)
    assert parse_params(join_params(value)) == value
    split_values(data)


def sdp(data: bytes) -> None:
    """A rewrite with the addresses that are there is still a description, with as many media."""
    with suppress(ParseError):
        find(b'multipart/mixed; boundary="x"', data)
    value = Sdp.parse(data)
    again = Sdp.parse(value.with_address(b"192.0.2.1", origin=True))
    assert len(again.media) == len(value.media)


def framing(data: bytes) -> None:
    """A stream in pieces is cut into the same messages as in one."""
    whole, pieces = Framing(), Framing()
    one = whole.feed(data)
    many = [message for at in range(0, len(data), 7) for message in pieces.feed(data[at : at + 7])]
    assert (many, pieces.error is None) == (one, whole.error is None)


def replication(data: bytes) -> None:
    """Frames of a peer."""
    list(FrameReader(b"key").feed(data))


def stun(data: bytes) -> None:
    """A keepalive is answered or not."""
    binding_response(data, "192.0.2.1", 5060)


def config(data: bytes) -> None:
    """The text of sipcore.toml."""
    parse_config(data.decode("utf-8", "replace"))


def corpus(name: str) -> list[bytes]:
    """What the mutations begin with."""
    folders = (ROOT / "tests/conformance" / rfc / "data" for rfc in ("rfc4475", "rfc5118", "rfc3665"))
    messages = [INVITE_880, OK_760, request()]
    messages += [path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.*"))]
    if name in ("message", "framing"):
        return messages
    if name == "config":
        return [(ROOT / "docs/examples/sipcore.toml").read_bytes()]
    if name == "sdp":
        return [SDP, *(data.partition(b"\r\n\r\n")[2] for data in messages)]
    if name == "stun":
        return [bytes.fromhex("000100002112a442") + bytes(12)]
    if name == "replication":
        return [bytes(range(64)), b"\0\0\0\x08" + bytes(64)]
    return sorted({line.partition(b":")[2].strip() for data in messages for line in data.split(b"\r\n")})


TARGETS: dict[str, Target] = {
    "message": message,
    "uri": uri,
    "via": via,
    "name_addr": name_addr,
    "params": params,
    "typed": typed,
    "credentials": parse_credentials,
    "sdp": sdp,
    "framing": framing,
    "replication": replication,
    "stun": stun,
    "config": config,
}
ALLOWED = (ParseError, ConfigError, ReplicationError)
