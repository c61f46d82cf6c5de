"""Sans-IO: from the sentence that says why a role changed to one of a few words, as a label must be."""

OTHER = "other"
CAUSES = {  # the beginning of a sentence -> its label; the first that fits counts
    "switchover by": "switchover",
    "failover by": "failover",
    "the peer hands over": "handover",
    "the peer has taken over": "handover",
    "the peer can no longer serve": "peer_lost",
    "the peer has stepped back": "peer_stepped_back",
    "the peer's agent died": "peer_died",
    "the peer's agent was started anew": "peer_died",
    "three hellos of the peer are missing": "hello_missed",
    "no master advertises": "silence",
    "a better master advertises": "better_master",
    "the peer is master with a greater claim": "two_masters",
    "the peer knew a greater epoch": "epoch",
    "the peer is healthier": "health",
    "the agent stood still": "stall",
    "the lease of": "lease",
    "the guard died": "guard_died",
    "the SIP core": "core",
    "fault over": "fault_over",
    "address owner": "owner",
    "link": "link",
    "check": "check",
    "joins the election": "startup",
    "startup": "startup",
    "shutdown": "shutdown",
}


def cause(reason: str) -> str:
    """The label of this reason."""
    return next((label for start, label in CAUSES.items() if reason.startswith(start)), OTHER)
