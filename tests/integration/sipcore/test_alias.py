"""Connection reuse between TLS peers on a real SIP core, RFC 5923: who may take calls for an address."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from sipcore.message import Request, build_response, parse
from tests.kit.certificates import Authority
from tests.kit.sip_live import LivePhones, free_port
from tests.kit.sip_streams import Streams, answers, options

ADDRESS = "127.0.0.1"


@pytest.mark.parametrize(
    ("identity", "is_reused"),
    [(ADDRESS, True), ("pbx.example.test", False), (None, False)],
    ids=["certificate of the address", "certificate of another", "no certificate"],
)
def test_a_call_for_an_alias_takes_the_connection_of_a_peer_whose_certificate_says_so_and_no_other(
    tmp_path: Path, identity: str | None, is_reused: bool
) -> None:
    clients = Authority(tmp_path, "clients")
    tls = f'verify_client = "optional"\nclient_ca = "{clients.ca}"\n'
    port = free_port()  # nobody listens there
    with (
        Streams(tmp_path, tls=tls) as streams,
        LivePhones((streams.core.address, streams.core.port), "alice") as alice,
    ):
        context = streams.client_context()
        if identity is not None:
            issued = clients.issue("peer", identity)
            context.load_cert_chain(issued.certificate, issued.key)
        alice.register("alice")
        with closing(streams.connect_tls(context)) as peer:
            peer.sendall(options(via=f"{ADDRESS}:{port};alias", transport="TLS"))
            assert answers(peer, 1).startswith(b"SIP/2.0 200 ")
            called = b"sip:x@127.0.0.1:%d;transport=tls" % port
            alice.phone.call("1", b"alice", called, time.monotonic())
            alice.wire.flush()
            if is_reused:
                invite = parse(peer.recv(65535))
                assert isinstance(invite, Request)
                assert invite.uri == called
                peer.sendall(build_response(invite, 486, to_tag=b"peer"))
            assert alice.until("failed", call="1")["status"] == (486 if is_reused else 500)
            opened = streams.core.counters().get("connections_opened_tls", 0)
            assert opened == (0 if is_reused else 1)  # it was tried where nobody listens
            if not is_reused:
                peer.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    peer.recv(1)
        assert streams.core.counters()["failures"] == 0, streams.core.log()
