"""IO shell: our pair in the comparison: `haagent run` with `sipcore run` as the service behind the VIP."""

from pathlib import Path

from bench.contender import Settings
from haagent.lab import pair as lab
from haagent.lab.topology import NODES, Lan


class Ours:
    """Two agents and two SIP cores."""

    name = "haagent"

    def __init__(self, lan: Lan, folder: Path, settings: Settings) -> None:
        told = lab.Settings(
            settings.strategy,
            settings.advert,
            settings.users,
            hello=settings.hello,
            allow_peer_only=settings.allow_peer_only,
        )
        self._folder = folder
        self.pair = lab.Pair(lan, folder, told)

    def start(self, node: str) -> None:
        """Start core and agent of a node."""
        self.pair.nodes[node].start()

    def ready(self, node: str) -> bool:
        """A node alone is ready when it has a role; the second one when the pair is in sync."""
        other = next(name for name in NODES if name != node)
        if self.pair.nodes[other].role() is None:
            return self.pair.nodes[node].role() == "MASTER"
        return self.pair.is_ready()

    def agent(self, node: str) -> list[int]:
        """Guard and control."""
        return self.pair.nodes[node].agent_pids()

    def core(self, node: str) -> list[int]:
        """The SIP core."""
        return self.pair.nodes[node].core_pids()

    def reap(self, node: str) -> None:
        """Collect the killed core."""
        self.pair.nodes[node].reap()

    def switchover(self, node: str) -> None:
        """The planned move: `haagent switchover`."""
        self.pair.nodes[node].agent.post("/v1/switchover")

    def reload(self, node: str) -> None:
        """Two less, or what it was before; `haagent reload`."""
        path = self._folder / node / "haagent.toml"
        text = path.read_text()
        was, other = (f"priority = {lab.PRIORITY[node] - less}" for less in (0, 2))
        path.write_text(text.replace(was, other) if was in text else text.replace(other, was))
        self.pair.nodes[node].agent.post("/v1/reload")

    def takeovers(self, node: str) -> int:
        """From the agent's history."""
        return sum(record["role"] == "MASTER" != record["old"] for record in self.pair.nodes[node].history())

    def actions(self) -> list[float]:
        """Milliseconds from decision to announcement of each takeover that the agents remember."""
        records = [record for node in self.pair.nodes.values() for record in node.history()]
        times = [r["phases"].get("action_ms") for r in records if r["role"] == "MASTER" != r["old"]]
        return [at for at in times if at is not None]

    def stop(self, node: str) -> None:
        """End a node's processes, also when they were killed or frozen."""
        self.pair.nodes[node].stop(kill=True)

    def stop_all(self) -> None:
        """End both nodes."""
        for node in NODES:
            self.stop(node)
