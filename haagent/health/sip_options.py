"""Sans-IO: the OPTIONS request of a health check and the answer to it, RFC 3261 section 11."""

import re

_STATUS = re.compile(rb"SIP/2\.0 ([1-6]\d\d) ([^\r\n]*)\r\n")
FINAL = 200


def options_request(*, target: str, transport: str, sent_by: str, token: str) -> bytes:
    """An OPTIONS to the server itself; `token` must be new each time, `sent_by` our HOST:PORT."""
    lines = (
        f"OPTIONS sip:{target};transport={transport} SIP/2.0",
        f"Via: SIP/2.0/{transport.upper()} {sent_by};rport;branch=z9hG4bK{token}",
        "Max-Forwards: 70",
        f"From: <sip:haagent@{sent_by}>;tag={token[:8]}",
        f"To: <sip:{target}>",
        f"Call-ID: {token}@haagent",
        "CSeq: 1 OPTIONS",
        "Accept: application/sdp",
        "User-Agent: haagent",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def final_answer(data: bytes, token: str) -> tuple[int, str] | None:
    """Status and reason of a final response to our request; None for anything else."""
    found = _STATUS.match(data)
    if found is None or int(found[1]) < FINAL or f"z9hG4bK{token}".encode() not in data:
        return None
    return int(found[1]), found[2].decode(errors="replace")


def accepts(patterns: tuple[str, ...], status: int) -> bool:
    """Whether a status code is among "2xx", "404", ..."""
    return any(pattern in (str(status), f"{status // 100}xx") for pattern in patterns)
