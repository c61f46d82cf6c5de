"""Which calls get a record, and that none is lost between the disk of the master and its standby."""

from typing import Any

import pytest

from sipcore.cdr.accounts import Accounts
from sipcore.dialog.dialog import EndReason
from sipcore.dialog.settings import Accounting
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.role import Role, RoleGate
from tests.kit.sip_dialog import Desk

WALL = 1_000_000.0


class Books:
    """The records of a master's desk and those of its standby; `tell` is the replication channel."""

    def __init__(self, wanted: Accounting = Accounting.ANSWERED | Accounting.MISSED, limit: int = 9) -> None:
        self.desk = Desk(now=1.0)
        self.master = Accounts(self.desk.journal, self._wall, wanted=wanted, limit=limit)
        self.desk.journal.register(self.master)
        self.desk.table.accountant = self.master.on_end
        self.gate = RoleGate("b")
        self.standby = Accounts(Journal(self.gate), self._wall, limit=limit)

    @staticmethod
    def _wall(now: float) -> float:
        return WALL + now

    def tell(self) -> None:
        """All that the master has changed comes to the standby."""
        journal = self.desk.journal
        for kind, key in list(journal._order):
            if kind is Kind.CDR:
                payload = self.master.pack(key, self.desk.now)
                if payload is None:
                    self.standby.delete(key, 1, self.desk.now)
                else:
                    self.standby.apply(key, payload, 1, self.desk.now)
        while journal.flush(self.desk.now) is not None:
            pass

    def talk(self) -> None:
        """A call of 7 s that took 3 s to be answered."""
        self.desk.invite()
        self.desk.now = 4.0
        self.desk.respond(200)
        self.desk.say(b"ACK")
        self.desk.now = 11.0
        self.desk.say(b"BYE", cseq=2)

    def take_over(self) -> None:
        """The standby becomes MASTER."""
        self.gate.change(Role.MASTER, 2)
        self.standby.on_role(Role.MASTER, self.desk.now)


@pytest.fixture
def books() -> Books:
    return Books()


def only(accounts: Accounts) -> dict[str, Any]:
    (found,) = accounts.take().values()
    return found


def test_an_answered_call_has_one_record_with_its_times(books: Books) -> None:
    books.talk()
    found = only(books.master)
    assert found["start"] == "1970-01-12T13:46:41.000Z"
    assert (found["answer"], found["end"]) == ("1970-01-12T13:46:44.000Z", "1970-01-12T13:46:51.000Z")
    assert (found["setup"], found["duration"]) == (3.0, 7.0)
    assert (found["cause"], found["status"], found["node"], found["recovered"]) == ("bye", 200, "a", False)
    assert (found["caller"], found["callee"]) == ("sip:alice@example.test", "sip:bob@example.test")
    assert (found["answered_by"], found["to_tag"]) == ("sip:bob@192.0.2.2", "bob-1")


def test_a_missed_call_says_what_it_was_refused_with(books: Books) -> None:
    books.desk.invite()
    books.desk.respond(180)
    books.desk.fail(486)
    found = only(books.master)
    assert (found["answer"], found["duration"], found["answered_by"]) == ("", 0.0, "")
    assert (found["cause"], found["status"]) == ("failed", 486)


def test_a_call_that_the_core_ends_has_its_record_at_once_and_no_second_one(books: Books) -> None:
    desk = books.desk
    desk.keeper.end(desk.call(), EndReason.OPERATOR, 5.0)
    assert only(books.master)["cause"] == "operator"
    for sent in desk.mail.take():
        sent.answer(200, 6.0)
    assert (len(desk.table.dialogs), books.master.noted) == (0, 1)


def test_a_second_attempt_with_the_same_call_id_is_another_call(books: Books) -> None:
    books.desk.invite(cseq=1)
    books.desk.fail(407)
    books.desk.invite(cseq=2)
    books.desk.fail(486)
    assert [found["status"] for found in books.master.take().values()] == [407, 486]


@pytest.mark.parametrize(
    ("config", "script", "records"),
    [
        (Accounting.ANSWERED, None, 1),
        (Accounting.MISSED, None, 0),
        (Accounting(0), Accounting.ANSWERED, 1),
        (Accounting.ANSWERED, Accounting(0), 0),
    ],
)
def test_the_script_outvotes_the_config(config: Accounting, script: Accounting | None, records: int) -> None:
    books = Books(config)
    dialog = books.desk.call()
    if script is not None:
        books.desk.table.account(dialog, script)
    books.desk.say(b"BYE", cseq=2)
    assert len(books.master.take()) == records


def test_what_is_on_no_disk_when_the_master_dies_is_written_by_the_new_one(books: Books) -> None:
    books.talk()
    books.tell()
    assert not books.standby.is_waiting  # a standby writes nothing
    ((key, first),) = books.master.take().items()
    books.take_over()
    ((again, found),) = books.standby.take().items()
    assert (key, first | {"recovered": True}) == (again, found)
    books.standby.written([again], 11.0)
    assert (books.standby.recovered, len(books.standby), books.standby.is_waiting) == (1, 0, False)


def test_what_is_on_the_masters_disk_is_not_written_again(books: Books) -> None:
    books.talk()
    books.tell()
    books.master.written(books.master.take(), 10.0)
    books.tell()
    assert (len(books.master), len(books.standby), books.master.done) == (0, 0, 1)
    books.take_over()
    assert not books.standby.is_waiting


def test_what_the_disk_did_not_take_is_given_again(books: Books) -> None:
    books.talk()
    assert books.master.take() == books.master.take()


def test_a_master_that_steps_down_leaves_its_records_to_the_new_one(books: Books) -> None:
    books.talk()
    books.tell()
    books.desk.gate.change(Role.BACKUP, 2)
    books.master.on_role(Role.BACKUP, 10.0)
    assert (books.master.is_waiting, len(books.master)) == (False, 1)
    books.take_over()
    (key,) = books.standby.take()
    books.standby.written([key], 11.0)
    assert books.standby.pack(key, 11.0) is None
    assert books.master.delete(key, 2, 11.0)
    assert len(books.master) == 0


def test_a_late_word_of_a_written_record_does_not_bring_it_back(books: Books) -> None:
    books.talk()
    ((key, _),) = books.master.take().items()
    payload = books.master.pack(key, 10.0)
    assert payload is not None
    books.standby.delete(key, 2, 10.0)
    assert not books.standby.apply(key, payload, 3, 10.0)
    assert set(books.standby.keys()) == {key}  # for a snapshot


def test_records_are_bounded_and_what_is_lost_is_counted() -> None:
    books = Books(limit=2)
    for number in range(5):
        books.desk.invite(call_id=b"call-%d" % number)
        books.desk.fail(call_id=b"call-%d" % number)
    assert (len(books.master), books.master.lost) == (2, 3)
