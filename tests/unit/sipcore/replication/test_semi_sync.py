"""Sans-IO: how long an answer waits for the standby."""

from sipcore.replication.semi_sync import HoldQueue, SemiSync


def queue(mode: SemiSync = SemiSync.ON, *, synced: bool = True) -> HoldQueue[str]:
    held: HoldQueue[str] = HoldQueue(mode, 0.005)
    held.on_peers(synced=synced)
    return held


def test_an_answer_leaves_with_the_acknowledgement_of_its_sequence() -> None:
    held = queue()
    assert held.hold(["a"], 5, 0.0) == []
    assert held.hold(["b"], 7, 0.001) == []
    assert held.on_ack(6) == ["a"]
    assert held.deadline == 0.006
    assert held.on_ack(7) == ["b"]
    assert (len(held), held.acknowledged, held.released) == (0, 2, 0)


def test_an_answer_whose_changes_are_acknowledged_already_does_not_wait() -> None:
    held = queue()
    held.on_ack(7)
    assert held.hold(["a"], 7, 0.0) == ["a"]


def test_after_the_budget_it_leaves_and_is_counted() -> None:
    held = queue()
    held.hold(["a", "b"], 1, 0.0)
    assert held.on_timer(0.004) == []
    assert held.on_timer(0.005) == ["a", "b"]
    assert held.released == 2


def test_without_a_synced_peer_nothing_waits_and_with_its_loss_nothing_waits_any_longer() -> None:
    held = queue(synced=False)
    assert held.hold(["a"], 1, 0.0) == ["a"]
    held.on_peers(synced=True)
    assert held.hold(["b"], 2, 0.0) == []
    assert held.on_peers(synced=False) == ["b"]


def test_off_never_holds() -> None:
    assert queue(SemiSync.OFF).hold(["a"], 9, 0.0) == ["a"]


def test_strict_never_lets_an_answer_go_without_an_acknowledgement() -> None:
    held = queue(SemiSync.STRICT, synced=False)
    assert held.hold(["a"], 1, 0.0) == []
    assert held.on_peers(synced=True) == []
    assert held.on_ack(1) == ["a"]
    held.hold(["b"], 2, 0.0)
    assert held.on_peers(synced=False) == []
    assert held.on_timer(1.0) == []
    assert (held.dropped, len(held)) == (1, 0)
