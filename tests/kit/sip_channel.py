"""Sans-IO: the replication channel of two SIP cores in virtual time: real sessions, a wire of no length."""

from sipcore.replication.journal import Journal
from sipcore.replication.session import LocalNode, ReplicationSession

KEY = b"a key of thirty-two bytes, shared"


class Channel:
    """What one node writes the other has at once, and its acknowledgement is back at once."""

    def __init__(self, a: Journal, b: Journal, now: float) -> None:
        journals = (a, b)
        for number, journal in enumerate(journals, 1):
            journal.incarnation = number
        self._sessions = tuple(
            ReplicationSession(LocalNode(name, KEY, journal), name.encode() * 32, now, dialer=name == "a")
            for name, journal in zip("ab", journals, strict=True)
        )
        self.carry(now)
        assert all(session.sender.synced for session in self._sessions)

    def carry(self, now: float) -> None:
        """Deliver all that both sides have to say."""
        a, b = self._sessions
        while (there := a.output(now)) + (back := b.output(now)):
            if there:
                b.feed(there, now)
            if back:
                a.feed(back, now)
        for session in self._sessions:  # an answer that waits for the standby may leave now
            assert session.sender.acked == session.local.journal.sequence
            assert session.local.counters.rejected == 0
