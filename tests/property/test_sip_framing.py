"""Sans-IO: however the network cuts a stream, the same messages, pings and error come out."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sipcore.transport.framing import Framing

LIMITS = (300, 200)

bodies = st.binary(max_size=40) | st.sampled_from([b"\r\n\r\n", b"l: 3\r\n\r\n", b"\r\nContent-Length: 5"])
messages = bodies.map(lambda body: b"BYE sip:x SIP/2.0\r\nl: %d\r\n\r\n%b" % (len(body), body))
pieces = (
    messages
    | st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"x" * 250, b"BYE x SIP/2.0\r\n\r\n"])
    | st.binary(max_size=5)
)
streams = st.lists(pieces, max_size=12).map(b"".join)


def result(chunks: list[bytes]) -> tuple[list[bytes], int, str, bool]:
    framing = Framing(*LIMITS)
    found = [message for chunk in chunks for message in framing.feed(chunk)]
    return found, framing.pings, str(framing.error), framing.pending


@given(streams, st.lists(st.integers(0, 400), max_size=20))
def test_any_cut_gives_the_same(stream: bytes, cuts: list[int]) -> None:
    marks = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole = result([stream])
    assert result([stream[a:b] for a, b in pairwise(marks)]) == whole
    assert result([stream[at : at + 1] for at in range(len(stream))]) == whole


@given(st.lists(messages, max_size=8), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_each_message_comes_out_as_it_went_in(sent: list[bytes], empty: list[int]) -> None:
    stream = b"".join(b"\r\n" * n + data for n, data in zip(empty, sent, strict=False))
    found, pings, error, pending = result([stream])
    assert (found, error, pending) == (sent, "None", False)
    assert pings == sum(n // 2 for n in empty[: len(sent)])


@given(st.binary(max_size=3000))
def test_memory_stays_below_the_limits_whatever_comes(data: bytes) -> None:
    framing = Framing(*LIMITS)
    for at in range(0, len(data), 7):
        framing.feed(data[at : at + 7])
        assert len(framing._rest) <= max(LIMITS) + 7
