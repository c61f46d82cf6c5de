"""IO shell: what an operator does, under calls: planned switchovers."""

from bench.faults.stage import Stage
from haagent.control.client import RefusedError

SWITCHOVERS = 10


def switch_over(stage: Stage) -> None:
    """`haagent switchover`, ten times in a row under calls."""
    stage.strike(lambda: None)
    node, other, refused = stage.old, stage.new, 0
    for _ in range(SWITCHOVERS):
        try:
            stage.side.switchover(node)
        except RefusedError:
            refused += 1
            stage.look(0.3)
            continue
        _wait_for(stage, other)
        node, other = other, node
    stage.fact("refused", refused)


def _wait_for(stage: Stage, node: str) -> None:
    stage.until(lambda: stage.answers(node), 5)
    stage.until(lambda: stage.side.ready("a") and stage.side.ready("b"), 5)
