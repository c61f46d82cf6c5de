"""Sans-IO: changes of state in keepalived's words: INSTANCE or GROUP, a name, a state, a priority."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from haagent.config.hooks import HookConfig, StateName, WebhookConfig
from haagent.pipe import RoleChange

STATES: dict[str, StateName] = {"MASTER": "MASTER", "BACKUP": "BACKUP", "FAULT": "FAULT", "INIT": "STOP"}
GROUP_PRIORITY = 0  # keepalived tells none for a group


@dataclass(slots=True, frozen=True)
class Transition:
    """One virtual router, or the group of them, is in another state now."""

    kind: Literal["INSTANCE", "GROUP"]
    name: str
    old: StateName
    state: StateName
    priority: int
    epoch: int
    reason: str
    at: float  # monotonic seconds at which the cause was seen

    @property
    def arguments(self) -> tuple[str, str, str, str]:
        """What keepalived appends to a notify script."""
        return self.kind, self.name, self.state, str(self.priority)

    @property
    def line(self) -> bytes:
        """What keepalived writes into its notify_fifo."""
        return f'{self.kind} "{self.name}" {self.state} {self.priority}\n'.encode()


class Transitions:
    """Remembers the state of each virtual router and group, so that a state is told once."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], StateName] = {}

    def on_role(self, change: RoleChange, group: str, priorities: Mapping[str, int]) -> list[Transition]:
        """What there is to tell: of each virtual router of the group (by name), then of the group.

        A new epoch in the same role is none, nor is the time before the first role.
        """
        found = [self._one("INSTANCE", name, number, change) for name, number in priorities.items()]
        found.append(self._one("GROUP", group, GROUP_PRIORITY, change))
        return [one for one in found if one is not None]

    def _one(
        self, kind: Literal["INSTANCE", "GROUP"], name: str, priority: int, change: RoleChange
    ) -> Transition | None:
        state, old = STATES[change.role], self._states.get((kind, name), "STOP")
        if state == old:
            return None
        self._states[kind, name] = state
        return Transition(kind, name, old, state, priority, change.epoch, change.reason, change.detected)


def wants(hook: HookConfig | WebhookConfig, transition: Transition) -> bool:
    """Whether this hook is to be told."""
    if transition.state not in hook.states:
        return False
    if transition.kind == "GROUP":
        return hook.of in ("group", "both")
    return hook.of in ("instance", "both") and (not hook.routers or transition.name in hook.routers)
