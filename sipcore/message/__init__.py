"""Sans-IO: SIP messages: parse, read, edit, build (RFC 3261).

The message interface, which a compiled form may take the place of:

- `parse(data)` gives a Request or Response or raises ParseError; it is the only way to make one.
- Read at once: `method`, `uri` or `status` and `reason`, `branch`, `call_id`, `cseq`, `from_tag`, `to_tag`,
  `max_forwards`, `body`.
  Read on demand: `top_via`, `raw`, `first(name)`, `lines(name)`, `values(name)`; `name in first_lines` asks
  whether a header is there. Names are the long form in lower case.
- `Edit(message)` splices; `build()` joins. What was not edited is the same bytes.
- `build_response`, `build_request`, `build_ack`, `build_cancel` write new messages.
- `limits` are of the process; `Via`, `NameAddr`, `Uri`, `Sdp`, `typed` read single values.
"""

from sipcore.message.build import build_ack, build_cancel, build_request, build_response
from sipcore.message.edit import Edit
from sipcore.message.fields import NameAddr, Via
from sipcore.message.message import Message, Request, Response
from sipcore.message.uri import Uri
from sipcore.message.usual import parse

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
