"""Changes of state in keepalived's words: what is told, once, and to whom."""

import pytest

from haagent.config.hooks import HookConfig
from haagent.hooks.transition import Transition, Transitions, wants
from haagent.pipe import RoleChange

PRIORITIES = {"sip": 150, "media": 140}


def change(role: str, old: str = "INIT", epoch: int = 1) -> RoleChange:
    return RoleChange(
        old=old, role=role, epoch=epoch, reason="why", detected=1.0, decided=1.0, vip=None, announced=None
    )


def lines(found: list[Transition]) -> list[bytes]:
    return [one.line for one in found]


def test_each_virtual_router_is_told_with_its_priority_and_then_the_group_with_0() -> None:
    assert lines(Transitions().on_role(change("BACKUP"), "a", PRIORITIES)) == [
        b'INSTANCE "sip" BACKUP 150\n',
        b'INSTANCE "media" BACKUP 140\n',
        b'GROUP "a" BACKUP 0\n',
    ]


def test_a_new_epoch_in_the_same_role_is_not_told_again() -> None:
    transitions = Transitions()
    transitions.on_role(change("MASTER"), "a", PRIORITIES)
    assert transitions.on_role(change("MASTER", epoch=7), "a", PRIORITIES) == []


def test_the_wait_before_the_first_role_is_no_stop_but_the_end_is() -> None:
    transitions = Transitions()
    assert transitions.on_role(change("INIT"), "a", PRIORITIES) == []
    transitions.on_role(change("MASTER"), "a", PRIORITIES)
    last = transitions.on_role(change("INIT", "MASTER"), "a", {"sip": 150})
    assert lines(last) == [b'INSTANCE "sip" STOP 150\n', b'GROUP "a" STOP 0\n']
    assert {one.old for one in last} == {"MASTER"}


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (HookConfig(name="x", command=("/x",)), {"sip", "media"}),
        (HookConfig(name="x", command=("/x",), of="group"), {"a"}),
        (HookConfig(name="x", command=("/x",), of="both"), {"sip", "media", "a"}),
        (HookConfig(name="x", command=("/x",), routers=("media",)), {"media"}),
        (HookConfig(name="x", command=("/x",), of="both", routers=("media",)), {"media", "a"}),
        (HookConfig(name="x", command=("/x",), states=("MASTER", "FAULT")), set()),
    ],
)
def test_a_hook_hears_of_its_states_its_routers_and_of_groups_if_it_wants(
    hook: HookConfig, told: set[str]
) -> None:
    found = Transitions().on_role(change("BACKUP"), "a", PRIORITIES)
    assert {one.name for one in found if wants(hook, one)} == told
