"""The OPTIONS request of a check and what counts as its answer."""

import pytest

from haagent.health.sip_options import accepts, final_answer, options_request

TOKEN = "0123456789abcdef01234567"


def request(transport: str = "udp") -> bytes:
    return options_request(
        target="10.88.0.100:5060", transport=transport, sent_by="10.88.0.11:4711", token=TOKEN
    )


def answer(line: str, token: str = TOKEN) -> bytes:
    via = f"Via: SIP/2.0/UDP 10.88.0.11:4711;branch=z9hG4bK{token};rport=4711"
    return f"{line}\r\n{via}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()


def test_the_request_is_addressed_to_the_server_itself() -> None:
    lines = request().decode().split("\r\n")
    assert lines[0] == "OPTIONS sip:10.88.0.100:5060;transport=udp SIP/2.0"
    assert f"Via: SIP/2.0/UDP 10.88.0.11:4711;rport;branch=z9hG4bK{TOKEN}" in lines
    assert "Max-Forwards: 70" in lines
    assert lines[-2:] == ["", ""]


def test_only_a_final_response_to_this_request_is_an_answer() -> None:
    assert final_answer(answer("SIP/2.0 200 OK"), TOKEN) == (200, "OK")
    assert final_answer(answer("SIP/2.0 503 Service Unavailable"), TOKEN) == (503, "Service Unavailable")
    for data in (
        answer("SIP/2.0 100 Trying"),
        answer("SIP/2.0 200 OK", token="f" * 24),
        b"",
        b"\xff\x00",
        request(),
        answer("SIP/2.0 999 No"),
    ):
        assert final_answer(data, TOKEN) is None


@pytest.mark.parametrize(
    ("patterns", "status", "good"),
    [(("2xx",), 200, True), (("2xx",), 404, False), (("2xx", "404"), 404, True), (("503",), 500, False)],
)
def test_status_codes_are_accepted_by_class_or_by_number(
    patterns: tuple[str, ...], status: int, good: bool
) -> None:
    assert accepts(patterns, status) is good
