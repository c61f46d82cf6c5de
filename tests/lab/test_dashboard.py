"""The dashboard in a real browser, on a real pair."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from haagent.lab.faults import is_alive
from haagent.lab.pair import Node, Pair
from haagent.lab.pair import Settings as PairSettings
from haagent.lab.topology import VIP, Lan
from tests.kit.chromium import CHROMIUM, Chromium

pytestmark = [
    pytest.mark.lab,
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
CHECK = """
[[check]]
kind = "tcp"
name = "billing"
target = "10.88.0.13:389"
interval = "1s"
timeout = "500ms"
weight = -1
"""
DRAWN = "document.querySelectorAll('#takeovers svg rect').length"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@dataclass
class Scene:
    """The pair, and a browser on node a that looks at its dashboard."""

    pair: Pair
    browser: Chromium


@pytest.fixture(name="scene")
def _scene(tmp_path: Path) -> Iterator[Scene]:
    with Lan() as lan:
        pair = Pair(lan, tmp_path, PairSettings())
        config = tmp_path / "a" / "haagent.toml"
        config.write_text(config.read_text() + CHECK)
        try:
            pair.start(timeout=60)
            with Chromium(lan.hosts["a"], tmp_path / "profile") as browser:
                browser.look(width=1150, height=900)
                browser.open("http://127.0.0.1:9405/dashboard")
                browser.wait(lambda: browser.text("#live") == "live")
                yield Scene(pair, browser)
        finally:
            pair.stop()


def test_the_dashboard_follows_the_pair_without_being_loaded_again(scene: Scene) -> None:
    browser, nodes = scene.browser, scene.pair.nodes
    browser.wait(lambda: "MASTER" in browser.text("#here") and "BACKUP" in browser.text("#there"))
    assert VIP in browser.text("#here")
    browser.wait(lambda: "changes behind" in browser.text("#replication"))
    browser.wait(lambda: "Connection refused" in browser.text("#checks"))
    assert "b\nhas all of this node" in browser.text("#replication")
    before = browser.value(DRAWN)
    assert before > 0

    nodes["a"].agent.post("/v1/switchover")
    browser.wait(lambda: "BACKUP" in browser.text("#here") and "MASTER" in browser.text("#there"))
    assert VIP in browser.text("#there")
    browser.wait(lambda: "switchover by operator" in browser.text("#takeovers"))
    browser.wait(lambda: browser.value(DRAWN) > before)
    assert "MASTER → BACKUP" in browser.text("#news")

    nodes["a"].agent.post("/v1/pause", {"seconds": 600})
    browser.wait(lambda: "paused" in browser.text("#here"))
    nodes["a"].agent.post("/v1/resume")

    light = browser.value(BACKGROUND)
    browser.look(width=390, height=800, dark=True)
    assert browser.value(BACKGROUND) != light
    assert browser.value("document.documentElement.scrollWidth") <= 390, "nothing sticks out of a telephone"
    assert browser.errors == []


def is_gone(node: Node, pid: int) -> bool:
    node.reap()
    return not is_alive(pid)


def test_the_dashboard_says_what_is_away_and_comes_back_by_itself(scene: Scene) -> None:
    browser, nodes = scene.browser, scene.pair.nodes
    nodes["b"].stop(kill=True)
    browser.wait(lambda: "not heard" in browser.text("#there"))
    assert "peer channel down" in browser.text("#path")
    assert browser.errors == []

    control = (nodes["a"].agent_status() or {})["pid"]
    os.kill(control, signal.SIGTERM)
    browser.wait(lambda: "does not answer" in browser.text("#live"))
    assert browser.value("document.querySelector('main').classList.contains('stale')")
    browser.wait(lambda: is_gone(nodes["a"], control))
    nodes["a"].start()
    browser.wait(lambda: browser.text("#live") == "live" and "MASTER" in browser.text("#here"), 60)
    assert not browser.value("document.querySelector('main').classList.contains('stale')")
