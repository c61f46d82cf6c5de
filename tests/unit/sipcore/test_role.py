"""Sans-IO: the role and epoch of a core."""

import pytest

from sipcore.errors import StaleEpochError
from sipcore.role import Role, RoleGate


def test_a_core_starts_as_backup_and_takes_the_role_that_it_is_told() -> None:
    gate = RoleGate("a")
    assert (gate.role, gate.epoch, gate.is_master) == (Role.BACKUP, 0, False)
    assert gate.change(Role.MASTER, 3)
    assert (gate.role, gate.epoch, gate.is_master) == (Role.MASTER, 3, True)


def test_an_epoch_older_than_the_known_one_is_refused_and_changes_nothing() -> None:
    gate = RoleGate("a")
    gate.change(Role.BACKUP, 5)
    with pytest.raises(StaleEpochError, match="epoch 4 is older than 5"):
        gate.change(Role.MASTER, 4)
    assert (gate.role, gate.epoch) == (Role.BACKUP, 5)


def test_a_demotion_in_the_same_epoch_is_taken_and_a_repetition_is_no_change() -> None:
    gate = RoleGate("a")
    gate.change(Role.MASTER, 5)
    assert not gate.change(Role.MASTER, 5)
    assert gate.change(Role.BACKUP, 5)
    assert not gate.is_master
