"""Sans-IO: what `sipcore replication` and the control API show of one session."""

from collections import Counter
from collections.abc import Mapping

from sipcore.replication.capability import Kind
from sipcore.replication.sender import Sender
from sipcore.replication.session import ReplicationSession

Value = str | int | float | bool | None
MANY = 1000  # changes on the way that are not counted by kind any more


def session_status(session: ReplicationSession, now: float) -> dict[str, object]:
    """One peer: connected, in sync both ways, lag, what is under way, what differs."""
    sender, receiver, peer = session.sender, session.receiver, session.peer
    if peer is None or receiver is None:
        return {"connected": False}
    events, lag, unacked = sender.lag(now) if sender.started else (0, 0.0, 0)
    comparison = session.comparison
    sent, received = session.ratios or (None, None)
    compared, matched_at = comparison.last(leads=session.leads), comparison.matched_at
    return {
        "connected": True,
        "node": peer.node,
        "version": session.version,
        "role": session.peer_role.name,
        "epoch": session.peer_epoch,
        "synced": receiver.synced,  # this node holds all that the peer had
        "peer_synced": sender.synced,  # the peer holds all that this node had
        "sequence": sender.journal.sequence,
        "acked": sender.acked,
        "lag_events": events,
        "lag_ms": round(lag * 1000, 3),
        "unacked_bytes": unacked,
        "sync_progress": round(sender.progress, 3),
        "receive_progress": round(receiver.progress, 3),
        "snapshots": sender.snapshots,
        "peer_sequence": session.peer_sequence,
        "compressed": session.ratios is not None,
        "sent_ratio": sent,
        "received_ratio": received,
        "heard_ms_ago": round((now - session.heard) * 1000, 3),
        "comparisons": comparison.count,
        "last_match_ms_ago": None if matched_at is None else round((now - matched_at) * 1000),
        "divergent_keys": None if compared is None else sum(compared.divergent.values()),
        "repaired_keys": comparison.follower.repaired,
        "kinds": _kinds(sender, {} if compared is None else compared.divergent, events),
    }


def _kinds(sender: Sender, divergent: Mapping[int, int], events: int) -> dict[str, dict[str, Value]]:
    on_the_way = sender.journal.kinds_after(sender.acked) if 0 < events <= MANY else Counter()
    return {
        kind.name.lower(): {
            "lag_events": on_the_way[kind] if events <= MANY else None,
            "divergent_keys": divergent.get(kind),
        }
        for kind in sender.journal.capabilities
    }


def named(kind: int) -> str:
    """The name of a kind for an operator."""
    return next((known.name.lower() for known in Kind if known == kind), f"kind {kind}")
