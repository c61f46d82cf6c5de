"""Sans-IO: whether a new master knows what the phones were told, and whether each call has its one record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from haagent.lab.ledger import Call, Ledger, Registration

Row = Mapping[str, object]


def up(ledger: Ledger) -> list[Call]:
    """The calls whose caller has seen the 200, and that nobody has been told to end."""
    return [call for call in ledger.calls.values() if call.has("answered", "200") and not call.ending]


def settled(ledger: Ledger) -> dict[str, Registration]:
    """What each user was last told, as it is now; users with a REGISTER under way are left out."""
    return {
        user: Registration(found.asked, found.answered, found.expires, found.cseq)
        for user, found in ledger.registrations.items()
        if found.is_settled
    }


def unknown_calls(calls: Iterable[Call], dialogs: Iterable[Row]) -> list[str]:
    """The calls that the new master has no answered dialog of."""
    known = {row["call_id"] for row in dialogs if row["state"] in ("CONFIRMED_NA", "CONFIRMED")}
    return [call.id for call in calls if call.call_id not in known and not call.has("bye_received")]


def wrong_registrations(told: Mapping[str, Registration], contacts: Iterable[Row]) -> list[str]:
    """The users who are registered and should not be, are not and should be, or by an older REGISTER."""
    newest: dict[str, int] = {}
    for row in contacts:
        user = str(row["aor"]).partition(":")[2].partition("@")[0] or str(row["aor"]).partition("@")[0]
        cseq = row["cseq"]
        assert isinstance(cseq, int)
        newest[user] = max(cseq, newest.get(user, 0))
    wrong = []
    for user, found in told.items():
        if found.expires and newest.get(user, 0) < found.cseq:
            wrong.append(f"{user}: its 200 was for CSeq {found.cseq}, known is {newest.get(user, 'nothing')}")
        elif not found.expires and newest.get(user, 0) > 0:
            wrong.append(f"{user}: it was taken away, and is still there")
    return wrong


@dataclass(slots=True)
class Records:
    """What came of the call detail records of a group."""

    calls: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)  # more than one record of a call
    wrong: list[str] = field(default_factory=list)  # answered and recorded as missed, or the other way round
    repeated: int = 0  # the same record in both files: whoever collects them keeps one
    recovered: int = 0  # written by another node than the one on which the call ended


def judge_records(calls: Iterable[Call], rows: Iterable[Row]) -> Records:
    """Each call that was answered, cancelled or refused has one record that says so."""
    found: dict[object, dict[object, list[Row]]] = {}
    for row in rows:
        found.setdefault(row["call_id"], {}).setdefault(row["id"], []).append(row)
    result = Records()
    for call in calls:
        answered = call.has("answered", "200")
        if not answered and not (call.has("failed", "487") or call.has("failed", "486")):
            continue
        result.calls += 1
        copies = found.get(call.call_id, {})
        if not copies:
            result.missing.append(call.id)
        elif len(copies) > 1:
            result.twice.append(call.id)
        for same in copies.values():
            result.recovered += any(row["recovered"] for row in same)
            result.repeated += len(same) - 1
            if sum(not row["recovered"] for row in same) > 1:
                result.twice.append(call.id)
            if any((row["status"] == 200) is not answered for row in same):
                result.wrong.append(call.id)
    return result
