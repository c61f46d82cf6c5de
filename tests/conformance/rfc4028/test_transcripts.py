"""The transcripts beside this file, through a whole core in virtual time."""

import json
from pathlib import Path
from typing import Any

import pytest

from sipcore.dialog.settings import DialogSettings
from sipcore.location.binding import Binding
from sipcore.message import Request, Response, build_response, parse
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import request
from tests.kit.sip_pair import Node

TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.jsonl"))
HOPS = {"alice": Hop("192.0.2.1", 5060), "bob": Hop("192.0.2.2", 5060)}
TAGS = {"alice": b"alice-1", "bob": b"bob-1"}
OTHER = {"alice": "bob", "bob": "alice"}
ROUTE = (b"Route", b"<sip:192.0.2.100:5060;lr>")
Message = Request | Response


class Transcript:
    """Plays the steps of one file; `waiting` is what the core has sent and no step has looked at."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.node = Node("a", dialog=DialogSettings(**config))
        self.now = 0.0
        self.node.core.on_role(Role.MASTER, 1, 0.0)
        binding = Binding(b"sip:bob@192.0.2.2", call_id=b"r", cseq=1, expires_at=1e6)
        self.node.location.save(b"sip:bob@example.test", binding, 0.0)
        self.waiting: list[tuple[str, Message]] = []
        self.last: dict[str, Request] = {}  # the last request that came to a phone
        self.count = 0
        self.cseq = {"alice": 0, "bob": 0}
        self.up = False

    def step(self, step: dict[str, Any]) -> None:
        """One line of the file."""
        if "pass" in step:
            self._pass(step["pass"])
        elif "dialogs" in step:
            assert len(self.node.dialogs) == step["dialogs"]
        elif "quiet" in step:
            assert self.waiting == []
        else:
            who = "alice" if "alice" in step else "bob"
            verb, what = step[who].split()
            headers = step.get("headers", {})
            self._send(who, what, headers) if verb == "sends" else self._get(who, what, headers)

    def _get(self, who: str, what: str, headers: dict[str, str | None]) -> None:
        at = next(i for i, (to, _) in enumerate(self.waiting) if to == who)
        _, message = self.waiting.pop(at)
        found = str(message.status) if isinstance(message, Response) else message.method.decode()
        assert found == what
        for name, value in headers.items():
            told = message.first(name.lower().encode())
            assert told == (None if value is None else value.encode()), name
        if isinstance(message, Request):
            self.last[who] = message
        elif message.method == b"INVITE":
            self.up = message.status < 300

    def _send(self, who: str, what: str, headers: dict[str, str]) -> None:
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        lines.append((b"Contact", b"<sip:%b@%b>" % (who.encode(), HOPS[who].host.encode())))
        if what.isdigit():
            asked = self.last[who]
            lines += [(b"Record-Route", value) for value in asked.lines(b"record-route")]
            tag = b"" if asked.to_tag else TAGS[who]
            data = build_response(asked, int(what), to_tag=tag, headers=lines)
        else:
            data = self._request(who, what.encode(), lines)
        self.node.core.feed(data, HOPS[who], self.now)
        self._take()

    def _request(self, who: str, method: bytes, lines: list[tuple[bytes, bytes]]) -> bytes:
        other = OTHER[who]
        if method != b"ACK":
            self.cseq[who] += 1
        self.count += method != b"ACK" or self.up  # the ACK of a failure has the branch of its INVITE
        names = {name: b"<sip:%b@example.test>" % name.encode() for name in HOPS}
        inside = self.up
        return request(
            method,
            b"sip:%b@%b" % (other.encode(), HOPS[other].host.encode()) if inside else b"sip:bob@example.test",
            via=b"SIP/2.0/UDP %b:5060;branch=z9hG4bK-%d" % (HOPS[who].host.encode(), self.count),
            sender=names[who] + b";tag=" + TAGS[who],
            to=names[other] + (b";tag=" + TAGS[other] if inside else b""),
            cseq=self.cseq[who],
            headers=[*([ROUTE] if inside else []), *lines],
        )

    def _pass(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.node.core.deadline) is not None and at <= end:
            self.now = max(self.now, at)
            self.node.core.on_timer(self.now)
            self._take()
        self.now = end

    def _take(self) -> None:
        hosts = {hop.host: name for name, hop in HOPS.items()}
        self.waiting += [(hosts[send.hop.host], parse(send.data)) for send in self.node.core.take()]


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_session_timer_goes_as_the_rfc_says(path: Path) -> None:
    first, *steps = [json.loads(line) for line in path.read_text().splitlines()]
    transcript = Transcript(first["config"])
    for number, step in enumerate(steps, 2):
        try:
            transcript.step(step)
        except (AssertionError, StopIteration) as error:
            raise AssertionError(f"{path.name}:{number}: {step}: {error}; {transcript.waiting}") from error
