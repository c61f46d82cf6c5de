"""Sans-IO: what `sipcore replication` and the control API show of one session."""

from sipcore.replication.session import ReplicationSession

Value = str | int | float | bool


def session_status(session: ReplicationSession, now: float) -> dict[str, Value]:
    """One peer: connected, in sync both ways, lag, what is under way."""
    sender, receiver, peer = session.sender, session.receiver, session.peer
    if peer is None or receiver is None:
        return {"connected": False}
    events, lag, unacked = sender.lag(now) if sender.started else (0, 0.0, 0)
    return {
        "connected": True,
        "node": peer.node,
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
        "heard_ms_ago": round((now - session.heard) * 1000, 3),
    }
