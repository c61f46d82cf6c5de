"""GET /v1/trace: its query, its lines, what a trace may cost."""

import json

import pytest

from sipcore.control.commands import BadRequestError
from sipcore.control.watch import Budget, Watch, line, parse_watch
from sipcore.transport.layer import Hop
from sipcore.transport.trace import Filter, Seen
from tests.kit.sip_messages import INVITE_880, OK_760


def test_a_query_is_read() -> None:
    watch = parse_watch({"method": "invite", "user": "bob", "ip": "10.0.0.1", "count": "5", "full": "1"})
    assert watch.wanted == Filter(method=b"INVITE", user=b"bob", ip="10.0.0.1")
    assert (watch.count, watch.seconds, watch.full, watch.secrets) == (5, 0.0, True, False)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"colour": "red"}, "colour: unknown"),
        ({"ip": "example.test"}, "ip: 'example.test' is not an IP address"),
        ({"kind": "both"}, "kind: 'both'"),
        ({"count": "-1"}, "count: -1 is not in 0..1e"),
        ({"seconds": "nan"}, "seconds: nan"),
        ({"seconds": "soon"}, "seconds: 'soon' is not a number"),
        ({"user": "u" * 257}, "user: 257 bytes are more than 256"),
    ],
)
def test_another_query_is_refused_with_name_value_and_limit(query: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        parse_watch(query)


def shown(data: bytes, watch: Watch) -> dict[str, object]:
    seen = Seen(data, Hop("fd88::7", 5071), local=("fd88::100", 5060), incoming=True, at=12.5)
    found = json.loads(line(seen, watch))
    assert isinstance(found, dict)
    return found


def test_a_line_says_what_a_message_is() -> None:
    found = shown(OK_760, Watch(Filter()))
    assert (found["remote"], found["local"], found["at"]) == ("[fd88::7]:5071", "[fd88::100]:5060", 12.5)
    assert (found["status"], found["reason"], found["method"]) == (200, "OK", "INVITE")
    assert "message" not in found


def test_all_of_a_message_is_shown_where_it_is_asked_for_with_its_secrets_covered() -> None:
    data = INVITE_880.replace(b"\r\nVia", b'\r\nAuthorization: Digest nonce="c0ffee"\r\nVia', 1)
    assert 'nonce="******"' in str(shown(data, Watch(Filter(), full=True))["message"])
    assert 'nonce="c0ffee"' in str(shown(data, Watch(Filter(), full=True, secrets=True))["message"])


def test_a_trace_looks_at_so_many_messages_in_a_second_and_counts_the_others() -> None:
    budget = Budget(per_second=2)
    assert [budget.spend(at) for at in (1.0, 1.1, 1.2, 1.3, 2.0)] == [True, True, False, False, True]
    assert (budget.take_lost(), budget.take_lost()) == (2, 0)
