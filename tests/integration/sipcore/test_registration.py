"""A core on loopback: users in SQLite, phones behind NAT, connections that end, replays at the other node."""

import hashlib
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sip_live import DOMAIN, PATIENCE, ROOT, CoreProcess, LivePhones, free_port, wait_for

USER, PASSWORD = "alice", "secret-a"


def register(
    cseq: int, *, contact: str, via: str, transport: str = "UDP", authorization: str = "", more: str = ""
) -> bytes:
    return (
        f"REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/{transport} {via};rport;branch=z9hG4bK-{cseq}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{USER}@{DOMAIN}>;tag=1\r\nTo: <sip:{USER}@{DOMAIN}>\r\n"
        f"Call-ID: registration-{via}\r\nCSeq: {cseq} REGISTER\r\nContact: {contact}\r\n{more}{authorization}"
        "Expires: 600\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def answer_to(challenge: bytes, count: int = 1, password: str = PASSWORD) -> str:
    """The Authorization header for a 401, with MD5."""
    nonce = re.findall(rb'nonce="([^"]+)".*algorithm=MD5', challenge)[0].decode()

    def h(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    ha1, ha2 = h(f"{USER}:{DOMAIN}:{password}"), h(f"REGISTER:sip:{DOMAIN}")
    response = h(f"{ha1}:{nonce}:{count:08x}:c:auth:{ha2}")
    return (
        f'Authorization: Digest username="{USER}", realm="{DOMAIN}", nonce="{nonce}", uri="sip:{DOMAIN}", '
        f'response="{response}", algorithm=MD5, qop=auth, nc={count:08x}, cnonce="c"\r\n'
    )


class UdpPhone:
    """A phone by hand that says that it is somewhere else: behind a NAT."""

    def __init__(self, core: tuple[str, int]) -> None:
        self.core = core
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.cseq = 0

    def ask(self, data: bytes, core: tuple[str, int] | None = None) -> bytes:
        self.socket.sendto(data, core or self.core)
        return self.socket.recv(65535)

    def register(self) -> bytes:
        """Register; returns the datagram that was accepted."""
        self.cseq += 2
        where = {"contact": "<sip:alice@10.0.0.9:5060>", "via": "10.0.0.9:5060"}
        challenge = self.ask(register(self.cseq, **where))
        assert challenge.startswith(b"SIP/2.0 401")
        data = register(self.cseq + 1, **where, authorization=answer_to(challenge))
        assert self.ask(data).startswith(b"SIP/2.0 200")
        return data


def location(core: CoreProcess) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = core.client.get(f"/v1/location?aor={USER}@{DOMAIN}")
    return rows


@pytest.fixture
def phone() -> Iterator[UdpPhone]:
    made = UdpPhone(("127.0.0.1", 0))
    yield made
    made.socket.close()


def test_users_in_sqlite_are_added_by_a_command_and_may_register_at_once(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path)
    database = tmp_path / "users.db"
    text = core.config.read_text().replace(f'users_file = "{tmp_path}/users"', f'users_db = "{database}"')
    core.config.write_text(text)

    def user(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-m", "sipcore", "user", *words, "--config", str(core.config)]
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
        )

    added = user("add", "alice", "--stdin", stdin="secret-a\n")
    assert added.returncode == 0, added.stderr
    with core, LivePhones((core.address, core.port), "alice") as phones:
        phones.register("alice")
        with LivePhones((core.address, core.port), "bob") as bob:
            bob.phone.register(b"bob", 60, time.monotonic())
            assert bob.until("registered", "register_failed")["status"] in (401, 403)
            assert user("add", "bob", "--stdin", stdin="secret-b\n").returncode == 0
            wait_for(lambda: tries(bob), "bob may register", core.log)
        listed = json.loads(user("list", "--json").stdout)
        assert [row["user"] for row in listed] == ["alice", "bob"]
        assert "MD5" in listed[0]["algorithms"]
        assert user("remove", "carol").returncode == 1
        assert user("remove", "bob").returncode == 0
        assert core.counters()["failures"] == 0, core.log()


def tries(phones: LivePhones) -> bool:
    phones.phone.register(b"bob", 60, time.monotonic())
    return phones.until("registered", "register_failed")["event"] == "registered"


def test_a_phone_behind_nat_is_found_where_it_was_seen_and_pinged_there(
    tmp_path: Path, phone: UdpPhone
) -> None:
    more = '[nat]\nping = "options"\nping_interval = "5s"\n'
    with CoreProcess(tmp_path, more=more) as core:
        phone.core = core.address, core.port
        phone.register()
        (row,) = location(core)
        assert row["received"] == f"udp:127.0.0.1:{phone.socket.getsockname()[1]}"
        assert (row["state"], row["contact"]) == ("behind NAT", "sip:alice@10.0.0.9:5060")
        phone.socket.settimeout(30)
        ping = phone.socket.recv(65535)
        assert ping.startswith(b"OPTIONS sip:alice@10.0.0.9:5060 SIP/2.0\r\n")
        lines = ping.split(b"\r\n")
        kept = [line for line in lines if line[:4] in (b"Via:", b"From", b"To: ", b"Call", b"CSeq")]
        phone.socket.sendto(
            b"\r\n".join((b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b"")), phone.core
        )
        wait_for(lambda: location(core)[0]["rtt_ms"] is not None, "the answer is noticed", core.log)
        assert core.counters()["pings_answered"] == 1


def test_a_contact_waits_when_its_connection_is_gone(tmp_path: Path) -> None:
    with CoreProcess(tmp_path) as core:
        text = core.config.read_text()
        listen = f'[[listen]]\naddress = "{core.address}"\nport = {core.port}\ntransport = "tcp"\n[auth]'
        core.__exit__()
        core.config.write_text(text.replace("[auth]", listen))
        core.start()
        with socket.create_connection((core.address, core.port), timeout=PATIENCE) as stream:
            where = {
                "contact": '<sip:alice@10.0.0.9;transport=tcp>;+sip.instance="<urn:uuid:1>";reg-id=1',
                "via": "10.0.0.9:5060",
                "transport": "TCP",
                "more": "Supported: outbound, gruu\r\n",
            }
            stream.sendall(register(1, **where))
            challenge = stream.recv(65535)
            stream.sendall(register(2, **where, authorization=answer_to(challenge)))
            answer = stream.recv(65535)
            assert answer.startswith(b"SIP/2.0 200")
            assert b"Require: outbound" in answer
            assert b"temp-gruu=" in answer
            assert location(core)[0]["state"] == "behind NAT"
        wait_for(
            lambda: location(core)[0]["state"] == "waits for a new connection", "it is noticed", core.log
        )


def test_too_many_wrong_passwords_ban_their_source(tmp_path: Path, phone: UdpPhone) -> None:
    core = CoreProcess(tmp_path)
    core.config.write_text(core.config.read_text().replace("[registrar]", "ban_after = 3\n[registrar]"))
    with core:
        phone.core = core.address, core.port
        where = {"contact": "<sip:alice@10.0.0.9:5060>", "via": "10.0.0.9:5060"}
        answer = phone.ask(register(1, **where))
        for cseq in (2, 3):
            answer = phone.ask(register(cseq, **where, authorization=answer_to(answer, password="wrong")))
            assert answer.startswith(b"SIP/2.0 401")
        assert core.status()["bans"] == 0
        phone.ask(register(4, **where, authorization=answer_to(answer, password="wrong")))
        assert (core.counters()["auth_failures"], core.status()["bans"]) == (3, 1)


def in_sync(master: CoreProcess, standby: CoreProcess) -> bool:
    peers = master.client.get("/v1/replication")["peers"].values()
    return bool(standby.status()["synced"]) and bool(peers) and all(p.get("peer_synced") for p in peers)


def test_a_replay_is_refused_by_the_other_node_too(tmp_path: Path, phone: UdpPhone) -> None:
    ports = free_port(), free_port()
    links = [f"127.0.0.1:{port}" for port in ports]
    a = CoreProcess(tmp_path, node="a", standalone=False, link=(links[0], links[1]))
    b = CoreProcess(tmp_path, node="b", standalone=False, link=(links[1], links[0]))
    with a, b:
        a.role("MASTER", 1)
        wait_for(lambda: in_sync(a, b), "b is in sync", b.log)
        phone.core = a.address, a.port
        accepted = phone.register()
        a.kill()
        b.role("MASTER", 2)
        assert location(b)[0]["contact"] == "sip:alice@10.0.0.9:5060"
        replayed = phone.ask(accepted.replace(b"z9hG4bK", b"z9hG4bKx"), (b.address, b.port))
        assert replayed.startswith(b"SIP/2.0 401")
        assert b"stale=true" in replayed
        again = register(
            9, contact="<sip:alice@10.0.0.9:5060>", via="10.0.0.9:5060", authorization=answer_to(replayed)
        )
        assert phone.ask(again, (b.address, b.port)).startswith(b"SIP/2.0 200")
