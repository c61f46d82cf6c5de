"""IO shell: `sipcore replication verify`: sums made anew from the records, then compared with each peer."""

import asyncio
from collections.abc import Iterable, Iterator

from sipcore.replication.capability import Capability, Kind, Sliced
from sipcore.replication.connection import Connection
from sipcore.replication.digest import BUCKETS, Stamps
from sipcore.replication.journal import Journal
from sipcore.replication.status import named

SLICE = 500  # records between two turns of the loop
PATIENCE = 8.0  # seconds for a comparison with its repair


async def verify(journal: Journal, connections: Iterable[Connection]) -> dict[str, object]:
    """What does not fit: on this node between records and sums, and between this node and each peer."""
    wrong = {named(kind): await _count_again(journal, kind) for kind in journal.digested}
    records = {named(kind): len(digested.stamps) for kind, digested in journal.digested.items()}
    peers = {c.node: c for c in connections if c.node}
    rows = await asyncio.gather(*(_compare(connection) for connection in peers.values()))
    equal = bool(rows) and all(row["equal"] for row in rows) and not any(wrong.values())
    return {
        "equal": equal,
        "records": records,
        "wrong_sums": wrong,
        "peers": dict(zip(peers, rows, strict=True)),
    }


async def _count_again(journal: Journal, kind: Kind) -> int:
    """Stamps that were not those of their records; they are now."""
    digested = journal.digested[kind]
    stamps, wrong = digested.stamps, 0
    for keys in _key_lists(journal.capabilities[kind], stamps):
        for number, key in enumerate(keys):
            before = stamps.stamp(key)
            digested.restamp(key)
            wrong += stamps.stamp(key) != before
            if number % SLICE == 0:
                await asyncio.sleep(0)
    return wrong


def _key_lists(capability: Capability, stamps: Stamps) -> Iterator[list[bytes]]:
    """All keys of the records, then all of the sums, in small lists."""
    yield from capability.parts() if isinstance(capability, Sliced) else iter([capability.keys()])
    for bucket in range(BUCKETS):
        yield list(stamps.of(bucket))


async def _compare(connection: Connection) -> dict[str, object]:
    """One peer."""
    session = connection.session
    before = session.comparison.count
    if not session.compare():
        return {"equal": False, "reason": "not in sync, or of a version that does not compare"}
    connection.pump()
    until = asyncio.get_running_loop().time() + PATIENCE
    while session.comparison.count == before:
        if asyncio.get_running_loop().time() > until or connection.closed.done():
            return {"equal": False, "reason": f"no result within {PATIENCE:g} s"}
        await asyncio.sleep(0.01)
    leads = session.leads
    found = session.comparison.last(leads=leads)
    assert found is not None
    return {
        "equal": not any(found.divergent.values()),
        "divergent": {named(kind): count for kind, count in found.divergent.items()},
        "differing": [
            {
                "kind": named(example.kind),
                "key": example.key.decode("utf-8", "replace"),
                "here": example.at_leader if leads else example.at_follower,
                "there": example.at_follower if leads else example.at_leader,
            }
            for example in found.examples
        ],
    }
