"""IO shell: how ours and another VRRP daemon are configured alike: the other on host a, ours on host b."""

from dataclasses import dataclass
from pathlib import Path

from haagent.lab.topology import VIP, Lan
from tests.kit.agent import Agent


@dataclass(frozen=True)
class Dialect:
    """Version, interval in seconds, addresses; `ours`: further lines of our virtual router."""

    name: str
    version: int = 3
    interval: float = 0.1
    ours: str = ""
    vips: tuple[str, ...] = (VIP,)

    def master_down(self, priority: int) -> float:
        """RFC 9568 and RFC 3768 section 6.1."""
        return 3 * self.interval + (256 - priority) / 256 * (self.interval if self.version == 3 else 1.0)

    def agent(self, lan: Lan, folder: Path, priority: int) -> Agent:
        """Ours, not started."""
        extra = f"version = {self.version}\n{self.ours}"
        return Agent(
            lan.hosts["b"], folder, priority=priority, interval=self.interval, vips=self.vips, extra=extra
        )
