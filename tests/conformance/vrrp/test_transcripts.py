"""Plays every transcript in this folder; REGENERATE=1 rewrites the expected half."""

import json
import os
from pathlib import Path

import pytest

from haagent.effects import SendAdvertisement
from haagent.vrrp.router import Advertisement, RouterEffect, VirtualRouter

CASES = sorted(Path(__file__).parent.glob("*.jsonl"))


def written(effect: RouterEffect) -> list[object]:
    if isinstance(effect, SendAdvertisement):
        return ["SendAdvertisement", effect.priority]
    return ["StateChanged", effect.old.name, effect.new.name]


def play(router: VirtualRouter, step: dict[str, object]) -> list[RouterEffect]:
    at = float(str(step["at"]))
    if step["in"] == "advertisement":
        interval = float(str(step.get("interval", 1.0)))
        advert = Advertisement(router.vrid, int(str(step["priority"])), interval, int(str(step["source"])))
        return router.on_advertisement(advert, at)
    if step["in"] in ("take", "yield"):
        move = router.on_take if step["in"] == "take" else router.on_yield
        return move(at, str(step["reason"]))
    inputs = {"startup": router.on_startup, "shutdown": router.on_shutdown, "timer": router.on_timer}
    return inputs[str(step["in"])](at)


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_transcript(path: Path) -> None:
    head, *steps = map(json.loads, path.read_text().splitlines())
    played = [head]
    router = VirtualRouter(**head["router"])
    for step in steps:
        effects = play(router, step)
        played.append({**step, "out": [written(e) for e in effects], "deadline": router.deadline})
    if os.environ.get("REGENERATE"):
        path.write_text("".join(json.dumps(line) + "\n" for line in played))
    assert played == [head, *steps] or os.environ.get("REGENERATE")
