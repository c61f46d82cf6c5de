"""IO shell: a partition of the laboratory's LAN with all links up: frames of some hosts are dropped."""

import subprocess

from haagent.lab.topology import PORTS, Lan

MACS: dict[tuple[str, str], str] = {(port.host, port.wire): port.mac for port in PORTS}


class Cut:
    """Frames between the two nodes are dropped; each still reaches the client."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan

    def between(self, node: str, *others: str) -> None:
        """On this node nothing comes in from these hosts."""
        rules = ["add table netdev cut"]
        for device, wire in (("eth0", "lan"), ("sync0", "sync")):
            rules.append(
                f"add chain netdev cut {wire} {{ type filter hook ingress device {device} priority 0; }}"
            )
            for other in others:
                if (other, wire) in MACS:
                    rules.append(f"add rule netdev cut {wire} ether saddr {MACS[other, wire]} drop")
        self._nft(node, "\n".join(rules))

    def heal(self, node: str) -> None:
        self._nft(node, "delete table netdev cut")

    def _nft(self, node: str, rules: str) -> None:
        with self._lan.hosts[node].entered():
            subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
