"""The transcripts beside this file, against the real layer in virtual time."""

import json
from pathlib import Path

import pytest

from sipcore.message import build_response
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request, parsed_response, request
from tests.kit.transaction_user import PEER, Recorder

VIA = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-t"
TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.jsonl"))


class Transcript:
    """Plays the steps of one file."""

    def __init__(self) -> None:
        self.user = Recorder()
        self.heard: list[str] = []
        self.data = b""
        self.last_sent = b""

    def step(self, at: float, give: str) -> None:
        """Let time pass, then do it."""
        self.wait(at)
        verb, what, *transport = give.split()
        peer = PEER._replace(transport="tcp", flow=1) if transport == ["tcp"] else PEER
        if verb == "request":
            self.data = request(what.encode(), via=VIA)
            self.user.layer.request(self.data, peer, self.user.now)
        elif verb == "receive":
            self.user.layer.receive(parsed_request(request(what.encode(), via=VIA)), peer, self.user.now)
        elif verb == "transport":  # error: what was sent last could not be
            self.user.layer.on_transport_error(self.last_sent, peer, self.user.now)
        else:
            self._status(verb, int(what))
        self.collect()

    def wait(self, at: float) -> None:
        """Until then."""
        while self.user.now < at:
            self.user.now = min(self.user.now + 0.01, at)
            self.user.wheel.advance(self.user.now)
            self.collect()

    def collect(self) -> None:
        """What was sent, then what was told."""
        if self.user.outbox:
            self.last_sent = self.user.outbox[-1].data
        self.heard += [f"send {what}" for what in self.user.sent()]
        self.heard += [f"tell {what}" for what in self.user.told]
        self.user.told.clear()

    def _status(self, verb: str, status: int) -> None:
        user = self.user
        if verb == "respond":
            assert user.last_tx is not None
            user.last_tx.respond(build_response(user.last_tx.request, status, to_tag=b"t"), status, user.now)
        else:
            data = build_response(parsed_request(self.data), status, to_tag=b"t")
            user.layer.receive(parsed_response(data), Hop("192.0.2.2", 5060), user.now)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_layer_behaves_as_in_the_transcript(path: Path) -> None:
    transcript = Transcript()
    for line in path.read_text().splitlines():
        step = json.loads(line)
        if "give" in step:
            transcript.step(step["at"], step["give"])
        else:
            transcript.wait(step["at"])
            assert transcript.heard == step["expect"], line
            transcript.heard.clear()
