"""TLS on a real SIP core: names, client certificates, new certificates under traffic, broken files."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.kit.certificates import Authority
from tests.kit.sip_live import DOMAIN, LivePhones, wait_for
from tests.kit.sip_streams import Streams, answers, options


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[Streams]:
    Authority(tmp_path, "clients").issue("someone")
    other = Authority(tmp_path, "other").issue("net", "sip.example.net", "phone.example.net")
    sni = f"""verify_client = "optional"
client_ca = "{tmp_path}/clients.pem"
[[listen.sni]]
names = ["sip.example.net", "*.wild.test"]
certificate = "{other.certificate}"
key = "{other.key}"
"""
    with Streams(tmp_path, tls=sni) as running:
        yield running


def names(connection: ssl.SSLSocket) -> set[str]:
    """The DNS names of the certificate that we were shown."""
    certificate = connection.getpeercert()
    assert certificate is not None
    return {str(pair[1]) for pair in certificate["subjectAltName"] if pair[0] == "DNS"}


def trusting(*files: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files[0])
    for path in files[1:]:
        context.load_verify_locations(path)
    context.check_hostname = False
    return context


def test_the_name_that_the_client_asks_for_chooses_the_certificate(streams: Streams) -> None:
    context = trusting(streams.authority.ca, f"{streams.folder}/other.pem")
    for name, shown in (
        (DOMAIN, {DOMAIN}),
        ("unknown.test", {DOMAIN}),
        ("SIP.example.net", {"sip.example.net", "phone.example.net"}),
        ("a.wild.test", {"sip.example.net", "phone.example.net"}),
    ):
        with closing(streams.connect_tls(context, name)) as connection:
            assert names(connection) == shown
            connection.sendall(options(transport="TLS"))
            assert answers(connection, 1).startswith(b"SIP/2.0 200 ")


def test_old_versions_of_tls_are_refused(streams: Streams) -> None:
    context = trusting(streams.authority.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"closed|protocol version"):
        streams.connect_tls(context)
    wait_for(lambda: streams.core.counters()["connections_ended_handshake_failed"] >= 1, "it is counted")


def test_new_certificates_are_used_from_the_next_handshake_on_and_no_connection_is_lost(
    streams: Streams,
) -> None:
    context = trusting(streams.authority.ca)
    with closing(streams.connect_tls(context)) as old:
        streams.authority.issue("server", "new.example.test")
        answer = streams.core.cli("reload")
        assert answer.returncode == 0, answer.stdout
        assert "certificates" in answer.stdout
        with closing(streams.connect_tls(context)) as new:
            assert names(new) == {"new.example.test"}
        assert names(old) == {DOMAIN}
        old.sendall(options(transport="TLS"))
        assert answers(old, 1).startswith(b"SIP/2.0 200 ")
    assert streams.core.process is not None
    streams.authority.issue("server", "third.example.test")
    os.kill(streams.core.process.pid, signal.SIGHUP)

    def third() -> bool:
        with closing(streams.connect_tls(context)) as new:
            return names(new) == {"third.example.test"}

    wait_for(third, "SIGHUP reads them again")


def test_a_broken_certificate_is_named_and_the_old_one_stays(streams: Streams) -> None:
    Path(f"{streams.folder}/server.pem").write_text("no certificate")
    answer = streams.core.cli("reload")
    assert answer.returncode == 1
    assert "server.pem" in answer.stderr
    with closing(streams.connect_tls(trusting(streams.authority.ca))) as connection:
        assert names(connection) == {DOMAIN}
    Path(f"{streams.folder}/server.pem").unlink()
    assert "No such file" in streams.core.cli("reload").stderr


def test_handshakes_go_on_while_certificates_are_read_again(streams: Streams) -> None:
    context = trusting(streams.authority.ca)

    async def phones() -> int:
        done = 0
        for _ in range(5):
            made = [asyncio.to_thread(streams.connect_tls, context) for _ in range(10)]
            reload = asyncio.to_thread(streams.core.client.put, "/v1/reload", {})
            *connections, _rows = await asyncio.gather(*made, reload)
            for connection in connections:
                with closing(connection):
                    connection.sendall(options(transport="TLS"))
                    done += answers(connection, 1).startswith(b"SIP/2.0 200 ")
        return done

    assert asyncio.run(phones()) == 50


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_a_client_certificate_of_another_ca_is_refused(tmp_path: Path, mode: str) -> None:
    good = Authority(tmp_path, "clients").issue("good", "pbx.example.test")
    bad = Authority(tmp_path, "strangers").issue("bad", "pbx.example.test")
    more = f'verify_client = "{mode}"\nclient_ca = "{tmp_path}/clients.pem"\n'
    with Streams(tmp_path, tls=more) as streams:
        served = {}
        for name, issued in (("good", good), ("bad", bad), ("none", None)):
            context = trusting(streams.authority.ca)
            if issued is not None:
                context.load_cert_chain(issued.certificate, issued.key)
            try:
                with closing(streams.connect_tls(context)) as connection:
                    connection.sendall(options(transport="TLS"))
                    served[name] = answers(connection, 1).startswith(b"SIP/2.0 200 ")
            except (OSError, AssertionError):
                served[name] = False
        assert served == {"good": True, "bad": False, "none": mode == "optional"}


def test_a_certificate_that_cannot_be_read_stops_the_start_and_is_named(tmp_path: Path) -> None:
    streams = Streams(tmp_path)
    Path(f"{tmp_path}/server.key").write_text("no key")
    with pytest.raises(AssertionError, match=r"server\.key"):
        streams.core.start()


def test_the_port_is_given_back(streams: Streams) -> None:
    streams.core.__exit__()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", streams.ports["tls"]))


def test_a_connection_that_we_open_needs_the_right_name_on_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "peers")
    right, wrong = authority.issue("right", "127.0.0.1"), authority.issue("wrong", "127.0.0.2")
    more = f'[tls]\nca_file = "{tmp_path}/peers.pem"\n'
    with (
        Streams(tmp_path, more) as streams,
        LivePhones((streams.core.address, streams.core.port), "alice") as alice,
    ):
        alice.register("alice")
        for name, issued in (("wrong", wrong), ("right", right)):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(issued.certificate, issued.key)
            with closing(socket.create_server(("127.0.0.1", 0))) as server:
                server.settimeout(10)
                port = server.getsockname()[1]
                target = b"sip:x@127.0.0.1:%d;transport=tls" % port
                alice.phone.call(name, b"alice", target, time.monotonic())
                alice.wire.flush()
                made, _ = server.accept()
                made.settimeout(10)
                data = b""
                with suppress(OSError), closing(context.wrap_socket(made, server_side=True)) as peer:
                    data = peer.recv(65535)
            assert data.startswith(b"INVITE sip:x@") is (name == "right")
            if name == "wrong":
                assert alice.until("failed", call=name)["status"] == 500
                assert streams.core.counters()["connections_ended_wrong_identity"] == 1


def test_a_flood_of_bad_handshakes_leaves_nothing_behind(streams: Streams) -> None:
    def attack(count: int) -> int:
        for _ in range(count):
            with suppress(OSError), closing(streams.connect("tls")) as connection:
                connection.sendall(b"no TLS at all\r\n\r\n")
                connection.recv(10)
        assert streams.core.process is not None
        status = Path(f"/proc/{streams.core.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    before = attack(600)
    assert attack(1500) - before < 8000, "kB"
    wait_for(lambda: not streams.core.status()["connections"].get("tls"), "all are gone")
