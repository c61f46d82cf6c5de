"""RFC 4028 section 8: what a proxy asks for, refuses, puts into answers, and when a session expires."""

import pytest

from sipcore.dialog.dialog import EndReason
from sipcore.dialog.session_timer import AS_IT_IS, Verdict
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.errors import DialogError
from tests.kit.sip_dialog import Desk, Headers
from tests.kit.sip_messages import parsed_request, request

TIMER = (b"Supported", b"replaces, timer")


def asks(interval: bytes) -> tuple[bytes, bytes]:
    return b"Session-Expires", interval


def verdict(settings: DialogSettings, *headers: tuple[bytes, bytes]) -> Verdict:
    return Desk(settings).table.session_timer(parsed_request(request(b"INVITE", headers=headers)))


@pytest.mark.parametrize("headers", [(), (TIMER,), (TIMER, asks(b"1800;refresher=uac")), (asks(b"20"),)])
def test_without_a_configured_timer_nothing_is_touched(headers: Headers) -> None:
    assert verdict(DialogSettings(), *headers) is AS_IT_IS


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ((), b"600"),
        ((TIMER,), b"600"),
        ((TIMER, (b"Min-SE", b"900")), b"900"),
        ((TIMER, asks(b"1800;refresher=uas")), b"600;refresher=uas"),
        ((TIMER, asks(b"1800"), (b"Min-SE", b"1200")), b"1200"),
    ],
)
def test_the_proxy_asks_for_its_interval_but_not_below_min_se(headers: Headers, wanted: bytes) -> None:
    assert verdict(DialogSettings(session_expires=600), *headers) == Verdict(0, (asks(wanted),))


def test_a_shorter_interval_than_ours_stays() -> None:
    assert verdict(DialogSettings(session_expires=600), TIMER, asks(b"300")) is AS_IT_IS


def test_an_interval_below_the_minimum_is_answered_422() -> None:
    settings = DialogSettings(session_min=300)
    assert verdict(settings, TIMER, asks(b"120")) == Verdict(422, ((b"Min-SE", b"300"),))
    assert verdict(settings, TIMER, asks(b"300")) is AS_IT_IS


def test_a_caller_without_the_extension_gets_no_422_but_the_minimum() -> None:
    found = verdict(DialogSettings(session_min=300), asks(b"120;x=1"))
    assert found == Verdict(0, (asks(b"300;x=1"), (b"Min-SE", b"300")))


@pytest.mark.parametrize("text", [b"", b"soon", b";refresher=uac", b"99999999999999", b"-5", b"\xff"])
def test_an_interval_that_cannot_be_read_is_left_to_the_ends(text: bytes) -> None:
    assert verdict(DialogSettings(session_min=300), TIMER, asks(text)) is AS_IT_IS


def test_a_session_that_nobody_refreshes_is_forgotten_without_a_word() -> None:
    desk = Desk()
    desk.call(asked=(TIMER,), answer=(asks(b"120;refresher=uas"),))
    desk.run(119.0)
    assert len(desk.table) == 1
    desk.run(2.0)
    assert (len(desk.table), desk.mail.sent) == (0, [])
    assert desk.table.ends[EndReason.SESSION_EXPIRED] == 1


def test_a_session_that_nobody_refreshes_ends_with_bye_if_the_config_says_so() -> None:
    desk = Desk(DialogSettings(session_bye=True))
    desk.call(answer=(asks(b"120;refresher=uas"),))
    desk.run(122.0)
    assert [sent.request.method for sent in desk.mail.sent] == [b"BYE", b"BYE"]


@pytest.mark.parametrize("method", [b"INVITE", b"UPDATE"])
def test_a_refresh_from_either_side_prolongs_the_session(method: bytes) -> None:
    desk = Desk()
    dialog = desk.call(answer=(asks(b"120;refresher=uac"),))
    assert dialog.more is not None
    assert dialog.more.refresher is Side.CALLER
    for number, (back, refresher) in enumerate([(False, Side.CALLER), (True, Side.CALLEE)]):
        desk.run(100.0)
        desk.agree(desk.say(method, cseq=2 + number, back=back), (asks(b"120;refresher=uac"),))
        assert dialog.more.refresher is refresher
    desk.run(100.0)
    assert len(desk.table) == 1
    desk.run(22.0)
    assert len(desk.table) == 0


def test_a_refresh_that_is_refused_prolongs_nothing() -> None:
    desk = Desk()
    desk.call(answer=(asks(b"120;refresher=uac"),))
    desk.run(100.0)
    desk.agree(desk.say(b"INVITE", cseq=2), (asks(b"120"),), status=491)
    desk.run(22.0)
    assert len(desk.table) == 0


def test_an_answer_without_session_expires_ends_the_timer_but_not_the_call() -> None:
    desk = Desk()
    dialog = desk.call(answer=(asks(b"120;refresher=uac"),))
    desk.agree(desk.say(b"UPDATE", cseq=2))
    assert dialog.more is not None
    assert dialog.more.session_expires == 0
    desk.run(1000.0)
    assert len(desk.table) == 1


@pytest.mark.parametrize(
    ("asked", "put"),
    [
        ((), ()),
        ((TIMER,), (asks(b"600;refresher=uac"), (b"Require", b"timer"))),
        ((TIMER, asks(b"300")), (asks(b"300;refresher=uac"), (b"Require", b"timer"))),
    ],
)
def test_the_caller_refreshes_when_the_called_side_knows_no_timer(asked: Headers, put: Headers) -> None:
    desk = Desk(DialogSettings(session_expires=600))
    desk.invite(headers=asked)
    assert desk.respond(200, asked=asked) == put
    more = desk.only.more
    assert (more.session_expires if more is not None else 0) == (int(put[0][1][:3]) if put else 0)


def test_what_a_script_wants_for_one_call_is_remembered_for_its_answer() -> None:
    desk = Desk()
    desk.invite(headers=(TIMER,))
    found = desk.table.session_timer(parsed_request(request(b"INVITE", headers=(TIMER,))), 240)
    assert found == Verdict(0, (asks(b"240"),))
    assert desk.respond(200, asked=(TIMER,))[0] == asks(b"240;refresher=uac")


def test_the_script_says_how_often_one_call_is_to_be_refreshed() -> None:
    desk = Desk()
    invite = parsed_request(request(b"INVITE", headers=(TIMER, asks(b"1800"))))
    dialog = desk.table.create(invite, desk.now)
    desk.table.set_session_timer(dialog, 300)
    assert desk.table.session_timer(invite) == Verdict(0, (asks(b"300"),))
    for seconds in (0, 89, 86_401):
        with pytest.raises(DialogError, match=r"is not in 90\.\.86400"):
            desk.table.set_session_timer(dialog, seconds)
