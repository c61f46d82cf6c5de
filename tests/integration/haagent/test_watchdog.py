"""A FIFO in the place of /dev/watchdog: what the agent writes there while it lives, hangs, stops and dies."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import Lan
from tests.integration.haagent.pair import Pair

pytestmark = pytest.mark.root
FEED = 1.25  # seconds: a quarter of the shortest timeout
MAGIC_CLOSE = b"V"


class Device:
    """The reading end."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def close(self) -> None:
        os.close(self._fd)

    def take(self) -> bytes:
        """What was written until now."""
        try:
            return os.read(self._fd, 4096)
        except BlockingIOError:
            return b""

    def is_fed(self, seconds: float) -> bool:
        """Whether food comes within this time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if b"\0" in self.take():
                return True
            time.sleep(0.02)
        return False


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        pair = Pair(lan, tmp_path)
        yield pair
        pair.stop()


@pytest.fixture(name="device")
def _device(pair: Pair, tmp_path: Path) -> Iterator[Device]:
    """Node a is master, and feeds it."""
    device = Device(tmp_path / "watchdog")
    with pair.a.config.open("a") as config:
        config.write(f'[watchdog]\ndevice = "{tmp_path / "watchdog"}"\ntimeout = "5s"\n')
    pair.a.start_core()
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 20)
    assert device.is_fed(10)
    yield device
    device.close()


def test_a_guard_that_hangs_starves_it(pair: Pair, device: Device) -> None:
    guard = pair.a.pids()[1]
    os.kill(guard, signal.SIGSTOP)
    time.sleep(2 * FEED)  # what was reported last counts so long, and one feeding may be under way
    device.take()
    assert not device.is_fed(2 * FEED)
    assert "watchdog_starves" in pair.a.log
    os.kill(guard, signal.SIGCONT)
    assert device.is_fed(10)


def test_a_planned_stop_disarms_it_and_a_kill_does_not(pair: Pair, device: Device) -> None:
    assert pair.a.agent is not None
    pair.a.agent.terminate()
    pair.a.agent.wait(20)
    assert device.take().endswith(MAGIC_CLOSE)
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 20)
    assert device.is_fed(10)
    pair.a.kill(signal.SIGKILL)
    pair.a.agent.wait(20)
    assert MAGIC_CLOSE not in device.take()


def test_a_device_that_is_not_there_is_named(pair: Pair, tmp_path: Path) -> None:
    with pair.a.config.open("a") as config:
        config.write(f'[watchdog]\ndevice = "{tmp_path / "none"}"\n')
    pair.a.start()
    assert pair.a.agent is not None
    assert pair.a.agent.wait(20) == 2
    assert f"watchdog.device: '{tmp_path / 'none'}': No such file or directory" in pair.a.log
