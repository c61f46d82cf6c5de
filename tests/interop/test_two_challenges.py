"""RFC 3665 flow 3.3: two proxies in a row challenge the caller; a script is the second one."""

import secrets
import socket
import time
from pathlib import Path

import pytest

from sipcore.message import Request, Response, parse
from sipcore.phone.digest import Challenge, choose
from tests.kit.loopback import loopback
from tests.kit.named import Named
from tests.kit.sip_live import PATIENCE, USERS, CoreProcess
from tests.kit.sipp import Sipp

pytestmark = pytest.mark.interop
SCENARIOS = Path(__file__).parent / "sipp" / "rfc3665"
PROXY1, PROXY2, ALICE, BOB = (f"127.0.0.{n}" for n in (1, 4, 10, 20))
ZONE = f"_sip._udp.biloxi SRV 10 10 5060 ss2.biloxi\nss2.biloxi A {PROXY2}\n"
NAMES = f'[resolver]\nnameservers = ["{PROXY1}:53"]\n'
SCRIPT = """
from sipcore.script import *


@request_route
async def main(call: Call) -> None:
    if await is_method(call, "REGISTER"):
        if await www_authorize(call):
            await save(call, "location")
        else:
            await www_challenge(call)
        return
    if await has_totag(call):
        await loose_route(call)
        await relay(call)
        return
    if await is_method(call, "INVITE") and not await proxy_authorize(call):
        await proxy_challenge(call)
        return
    await loose_route(call)
    await consume_credentials(call)
    await record_route(call)
    if await lookup(call, "location"):
        await relay(call)
    else:
        await sl_send_reply(call, 404)
"""
URI = b"sip:bob@biloxi.example.com"


class Alice:
    """A phone that answers every challenge that it has met, one header each."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ALICE, 5060))
        self.socket.connect((PROXY1, 5060))
        self.socket.settimeout(PATIENCE)
        self.challenges: list[Challenge] = []
        self.call_id = secrets.token_hex(8).encode()
        self.cseq = 0

    def send(
        self, method: bytes, uri: bytes = URI, *more: bytes, to_tag: bytes = b"", branch: bytes = b""
    ) -> bytes:
        """Send a request; returns its branch."""
        branch = branch or b"z9hG4bK" + secrets.token_hex(8).encode()
        lines = [
            b"%b %b SIP/2.0" % (method, uri),
            b"Via: SIP/2.0/UDP %b:5060;branch=%b" % (ALICE.encode(), branch),
            *more,
            b"Max-Forwards: 70",
            b"From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl",
            b"To: Bob <%b>%b" % (URI, b";tag=" + to_tag if to_tag else b""),
            b"Call-ID: " + self.call_id,
            b"CSeq: %d %b" % (self.cseq, method),
            b"Contact: <sip:alice@%b:5060>" % ALICE.encode(),
            b"Content-Length: 0",
        ]
        self.socket.send(b"\r\n".join([*lines, b"", b""]))
        return branch

    def invite(self) -> bytes:
        """INVITE with an answer to each challenge (section 22.3)."""
        self.cseq += 1
        password = USERS["alice"].encode()
        answers = [
            b"Proxy-Authorization: "
            + challenge.answer(b"alice", password, method=b"INVITE", uri=URI, cnonce=b"0a4f113b")
            for challenge in self.challenges
        ]
        return self.send(b"INVITE", URI, *answers)

    def final(self) -> Response:
        """The next final response to the last request."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            response = parse(self.socket.recv(65535))
            assert not isinstance(response, Request)
            if response.status >= 200 and response.cseq == self.cseq:
                return response
        raise AssertionError("no final response came")

    def challenged(self) -> bytes:
        """INVITE, and be asked by another proxy; whose realm it is."""
        branch = self.invite()
        response = self.final()
        assert response.status == 407
        self.send(b"ACK", to_tag=response.to_tag, branch=branch)
        challenge = choose(response.lines(b"proxy-authenticate"), proxy=True)
        assert challenge is not None
        self.challenges.append(challenge)
        return challenge.realm


def test_3_3_both_proxies_challenge_the_caller(tmp_path: Path) -> None:
    folder = tmp_path / "biloxi"
    folder.mkdir()
    (folder / "route.py").write_text(SCRIPT)
    more = f"[proxy]\nauthenticate = true\n{NAMES}"
    script = f'[script]\npath = "{folder}/route.py"\n'
    with (
        loopback("rfc3665") as host,
        Named(tmp_path / "dns", ZONE, zone="example.com", address=PROXY1, port=53, host=host),
        CoreProcess(
            tmp_path, address=PROXY1, port=5060, domain="atlanta.example.com", more=more, spawn=host.spawn
        ),
        CoreProcess(
            folder, address=PROXY2, port=5060, domain="biloxi.example.com", more=script, spawn=host.spawn
        ),
    ):
        users = tmp_path / "users.csv"
        users.write_text(f"SEQUENTIAL\n[authentication username=bob password={USERS['bob']}];bob\n")
        words = (f"{PROXY2}:5060", "-inf", str(users))
        with Sipp(host, SCENARIOS / "2.1.xml", BOB, *words, folder=tmp_path) as registering:
            registering.finish()
        with Sipp(host, SCENARIOS / "3.3.bob.xml", BOB, folder=tmp_path) as bob:
            with host.entered():
                alice = Alice()
            assert [alice.challenged(), alice.challenged()] == [b"atlanta.example.com", b"biloxi.example.com"]
            alice.invite()
            answer = alice.final()
            assert answer.status == 200
            routes = [b"Route: " + route for route in reversed(answer.values(b"record-route"))]
            assert len(routes) == 2
            contact = b"sip:bob@%b:5060" % BOB.encode()
            alice.send(b"ACK", contact, *routes, to_tag=answer.to_tag)
            alice.cseq += 1
            alice.send(b"BYE", contact, *routes, to_tag=answer.to_tag)
            assert alice.final().status == 200
            bob.finish()
            alice.socket.close()
