"""IO shell: what the comparison asks of each pair that it breaks."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Settings:
    """What a pair is told: advertisement interval in seconds, failed checks until a service is down."""

    advert: float
    fall: int
    strategy: str
    hello: float = 0.0
    """Seconds between two hellos of our agents; 0: none. keepalived has no such thing."""
    users: tuple[tuple[str, str], ...] = ()
    """Names and passwords; of our core only."""
    allow_peer_only: bool = False


class Contender(Protocol):
    """A pair of nodes, each with an agent and a service behind the VIP."""

    @property
    def name(self) -> str:
        """As it stands in the table."""

    def start(self, node: str) -> None:
        """Start agent and service on a node that runs nothing."""

    def ready(self, node: str) -> bool:
        """Whether the node has a role and would take over."""

    def agent(self, node: str) -> list[int]:
        """The agent's processes."""

    def core(self, node: str) -> list[int]:
        """The service's processes."""

    def reap(self, node: str) -> None:
        """Collect a service that was killed, so that it is no zombie."""

    def switchover(self, node: str) -> None:
        """Move the VIP away from this node, in order."""

    def reload(self, node: str) -> None:
        """Have the agent take over another priority."""

    def takeovers(self, node: str) -> int:
        """How often the agent has become master since its start."""

    def stop(self, node: str) -> None:
        """End what runs on a node."""

    def stop_all(self) -> None:
        """End both nodes."""
