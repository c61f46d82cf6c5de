"""What `sipcore trace` prints."""

from io import StringIO

from rich.console import Console

from sipcore.ladder import Ladder


def printed(*lines: dict[str, object], full: bool = False) -> str:
    out = StringIO()
    console = Console(file=out, width=200, color_system=None)
    ladder = Ladder(full=full)
    for line in lines:
        console.print(ladder.render(line))
    return out.getvalue()


def line(**more: object) -> dict[str, object]:
    return {
        "at": 1_700_000_000.25, "incoming": True, "remote": "10.0.0.7:5071", "local": "10.0.0.1:5060",
        "transport": "udp", "size": 100, "method": "INVITE", "call_id": "c1", **more,
    }  # fmt: skip


def test_an_arrow_leads_from_who_sends_to_who_gets() -> None:
    first, second = printed(line(), line(incoming=False, status=100, reason="Trying")).splitlines()
    places = [first.index(part) for part in ("10.0.0.7:5071", "INVITE", "▶", "10.0.0.1:5060")]
    assert places == sorted(places)
    assert second.index("10.0.0.7:5071") < second.index("◀") < second.index("100 Trying (INVITE)")


def test_calls_are_numbered_in_the_order_in_which_they_come_into_sight() -> None:
    text = printed(line(), line(call_id="c2"), line())
    assert [row.split("call ")[1] for row in text.splitlines()] == ["1 c1", "2 c2", "1 c1"]


def test_what_is_not_sip_and_what_was_not_shown_is_said() -> None:
    text = printed(line(method="", call_id=""), {"lost": 7})
    assert "100 bytes, not SIP" in text
    assert "7 messages were not shown" in text


def test_a_whole_message_cannot_drive_the_terminal() -> None:
    text = printed(
        line(message="OPTIONS sip:a SIP/2.0\r\nSubject: \x1b[2J[red]hello\r\n\r\nbody\x07"), full=True
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]hello" in text
    assert "body" in text
