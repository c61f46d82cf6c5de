"""IO shell: python -m bench.reunion [rounds]: how soon phones on connections ring after their master died.

The laboratory's LAN, two real cores, baresip over TCP and over TLS, a phone of ours over WebSocket; all are
called when the new master has its role. Needs root, or user namespaces, and Debian's baresip-core.
"""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from tests.kit.reunion import USERS, connected_phones, seconds_until_they_ring


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[str, list[float]] = {transport: [] for transport in USERS}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, connected_phones(Path(folder)) as pair:
            for transport, seconds in asyncio.run(seconds_until_they_ring(pair)).items():
                found[transport].append(seconds * 1000)
    for transport, times in found.items():
        median, worst = statistics.median(times), max(times)
        sys.stdout.write(f"{transport:4} rings again after ms: median {median:.0f}, worst {worst:.0f}\n")


if __name__ == "__main__":
    main()
