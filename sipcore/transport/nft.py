"""Sans-IO: the ban list as a packet-rule set: the kernel drops what is banned before it costs anything.

Only packets to our listeners are dropped, so that a ban never locks an operator out of the host. The text
replaces the whole table in one transaction, so it may be loaded again at any time.
"""

from collections.abc import Iterable, Sequence

from sipcore.transport.bans import Ban

TABLE = "sipcore_bans"
REMOVE = f"table inet {TABLE}\ndelete table inet {TABLE}\n"

_RULES = """\
table inet {table} {{
\tset listeners {{
\t\ttype inet_proto . inet_service
\t\telements = {{ {listeners} }}
\t}}
\tset banned4 {{
\t\ttype ipv4_addr
\t\tflags timeout
{banned4}\t}}
\tset banned6 {{
\t\ttype ipv6_addr
\t\tflags interval, timeout
{banned6}\t}}
\tchain input {{
\t\ttype filter hook input priority raw; policy accept;
\t\tmeta l4proto . th dport @listeners ip saddr @banned4 counter drop
\t\tmeta l4proto . th dport @listeners ip6 saddr @banned6 counter drop
\t}}
}}
"""


def ruleset(bans: Iterable[Ban], listeners: Sequence[tuple[str, int]], now: float) -> str:
    """What `nft -f` loads; `listeners` are ("udp" or "tcp", port)."""
    four: list[str] = []
    six: list[str] = []
    for ban in bans:
        left = int(ban.until - now)
        if left > 0:
            (six if ":" in ban.source else four).append(f"{ban.source} timeout {left}s")
    return REMOVE + _RULES.format(
        table=TABLE,
        listeners=", ".join(sorted({f"{protocol} . {port}" for protocol, port in listeners})),
        banned4=_elements(four),
        banned6=_elements(six),
    )


def _elements(elements: list[str]) -> str:
    return f"\t\telements = {{ {', '.join(elements)} }}\n" if elements else ""
