"""Sans-IO: the Date of a 200 to REGISTER, RFC 3261 sections 10.3 and 20.17."""

from sipcore.registrar.date import Date
from tests.unit.sipcore.registrar.test_save import Desk

EXAMPLE = 1289690940.0  # the example of section 20.17 in seconds since 1970


def test_the_date_is_the_wall_clock_in_gmt() -> None:
    assert Date(EXAMPLE - 42).header(42.5) == (b"Date", b"Sat, 13 Nov 2010 23:29:00 GMT")


def test_a_second_is_written_once() -> None:
    date = Date(EXAMPLE)
    assert date.header(1.0) is date.header(1.9)
    assert date.header(1.9) != date.header(2.0)


def test_a_200_to_register_has_a_date_and_a_refusal_has_none() -> None:
    desk = Desk(wall_offset=EXAMPLE)
    assert desk.register("Contact: <sip:alice@192.0.2.7>").first(b"date") == b"Sat, 13 Nov 2010 23:29:01 GMT"
    assert desk.register("Contact: <sip:alice@192.0.2.7>;expires=1").first(b"date") is None
