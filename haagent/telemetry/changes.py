"""Sans-IO: what is worth an event between one report of the guard and the next."""

from haagent.pipe import Core, PeerReport, Report

Change = dict[str, object]


def peer_change(before: Report | None, now: Report) -> Change | None:
    """The peer has come or gone, has another role, or can serve or not; its epoch alone is no news."""
    was = _peer(before.peer if before is not None else None)
    peer = _peer(now.peer)
    return peer if peer != was else None


def core_change(before: Core, now: Core) -> Change | None:
    """The SIP core has come, can serve or not, or holds the master's records or not."""
    was, core = _core(before), _core(now)
    return core if core != was and now.pid else None


def _peer(peer: PeerReport | None) -> Change:
    if peer is None:
        return {"connected": False, "role": None, "ready": None}
    return {"connected": peer.connected, "role": peer.role, "ready": peer.ready}


def _core(core: Core) -> Change:
    return {"pid": core.pid, "ready": core.ready, "synced": core.synced}
