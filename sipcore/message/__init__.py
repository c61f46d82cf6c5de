"""Sans-IO: SIP messages: parse, read, edit, build (RFC 3261)."""

from sipcore.message.build import build_ack, build_cancel, build_request, build_response
from sipcore.message.edit import Edit
from sipcore.message.fields import NameAddr, Via
from sipcore.message.message import Message, Request, Response
from sipcore.message.parser import parse
from sipcore.message.uri import Uri

__all__ = [
    "Edit",
    "Message",
    "NameAddr",
    "Request",
    "Response",
    "Uri",
    "Via",
    "build_ack",
    "build_cancel",
    "build_request",
    "build_response",
    "parse",
]
