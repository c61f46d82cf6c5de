"""Dialog profiles with values: sizes, limits, what is not declared."""

import pytest

from sipcore.dialog.profiles import MAX_PER_DIALOG
from sipcore.dialog.settings import DialogSettings
from sipcore.errors import DialogError
from tests.kit.sip_dialog import Desk

NAMES = ("caller", "trunk/s")


@pytest.fixture
def desk() -> Desk:
    return Desk(DialogSettings(profiles=NAMES))


def call(desk: Desk, number: int) -> bytes:
    call_id = b"call-%d" % number
    desk.invite(call_id=call_id)
    return call_id + b" alice-1"


def test_a_profile_counts_its_dialogs_by_value_until_they_end(desk: Desk) -> None:
    table = desk.table
    for number, user in enumerate(("alice", "alice", "bob")):
        dialog = table.dialogs[call(desk, number)]
        assert table.enter_profile(dialog, "caller", user)
        assert table.enter_profile(dialog, "caller", user)  # once is enough
    sizes = [table.profiles.size("caller", user) for user in ("alice", "bob", "carol", None)]
    assert sizes == [2, 1, 0, 3]
    assert dict(table.profiles.values("caller")) == {"alice": 2, "bob": 1}
    desk.fail(call_id=b"call-0")
    assert (table.profiles.size("caller", "alice"), table.profiles.size("caller")) == (1, 2)


def test_the_last_place_goes_to_one_call_only(desk: Desk) -> None:
    entered = [
        desk.table.enter_profile(desk.table.dialogs[call(desk, number)], "caller", "alice", limit=2)
        for number in range(3)
    ]
    assert entered == [True, True, False]
    desk.fail(call_id=b"call-1")
    assert desk.table.enter_profile(desk.table.dialogs[b"call-2 alice-1"], "caller", "alice", limit=2)


def test_a_dialog_leaves_a_profile_once(desk: Desk) -> None:
    table = desk.table
    dialog = table.dialogs[call(desk, 1)]
    table.enter_profile(dialog, "caller", "alice")
    assert table.in_profile(dialog, "caller")
    assert not table.in_profile(dialog, "caller", "bob")
    assert table.leave_profile(dialog, "caller", "alice")
    assert not table.leave_profile(dialog, "caller", "alice")
    assert (table.profiles.size("caller"), dict(table.profiles.values("caller"))) == (0, {})


def test_a_name_that_is_not_declared_is_named_with_what_was_meant(desk: Desk) -> None:
    with pytest.raises(DialogError, match=r"'calle': not declared in dialog.profiles, did you mean 'caller'"):
        desk.table.profiles.size("calle")
    dialog = desk.table.dialogs[call(desk, 1)]
    with pytest.raises(DialogError, match="'trunks': not declared"):
        desk.table.enter_profile(dialog, "trunks")
    assert desk.table.profiles.names == ("caller", "trunk")
    assert desk.table.profiles.shared == {"trunk"}


def test_what_one_dialog_may_take_is_bounded(desk: Desk) -> None:
    dialog = desk.table.dialogs[call(desk, 1)]
    with pytest.raises(DialogError, match="300 characters, over 256"):
        desk.table.enter_profile(dialog, "caller", "x" * 300)
    for number in range(MAX_PER_DIALOG):
        desk.table.enter_profile(dialog, "trunk", str(number))
    with pytest.raises(DialogError, match="in 32 profiles already"):
        desk.table.enter_profile(dialog, "caller", "alice")
