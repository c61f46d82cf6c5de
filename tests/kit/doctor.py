"""IO shell: `haagent doctor` on a host of the laboratory, and a stranger who advertises there."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haagent.lab.namespaces import Host
from tests.kit.wire import packet_socket


class Diagnosis:
    """What one run has said."""

    def __init__(self, code: int, text: str, errors: str) -> None:
        self.code = code
        self.errors = errors
        self.checks: list[dict[str, Any]] = json.loads(text)["checks"] if text else []

    def levels(self, check: str) -> set[str]:
        """All levels of a check."""
        return {one["level"] for one in self.checks if one["check"] == check}

    def find(self, check: str, level: str) -> str:
        """What was seen; "" when the check has no such finding."""
        return "\n".join(
            one["seen"] for one in self.checks if one["check"] == check and one["level"] == level
        )

    @property
    def failed(self) -> set[str]:
        """The checks that failed."""
        return {one["check"] for one in self.checks if one["level"] == "fail"}


def diagnose(host: Host, config: Path, *options: str, prefix: Sequence[str] = ()) -> Diagnosis:
    """Run it to its end; `prefix` is a command that runs it with less."""
    argv = [*prefix, sys.executable, "-m", "haagent", "doctor", str(config), "--json", *options]
    process = host.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text, errors = process.communicate(timeout=50)
    return Diagnosis(process.returncode, text.decode(), errors.decode())


@contextmanager
def advertising(
    host: Host, *, vips: list[str], vrid: int = 51, priority: int = 200, interval: int = 10
) -> Iterator[None]:
    """The host advertises a virtual router; `interval` is in centiseconds, as on the wire."""
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether
    from scapy.layers.vrrp import VRRPv3

    pdu = VRRPv3(vrid=vrid, priority=priority, ipcount=len(vips), adv=interval, addrlist=vips)
    ip = IP(src="10.88.0.13", dst="224.0.0.18", ttl=255, proto=112)
    frame = bytes(Ether(src="02:88:00:00:00:0c", dst="01:00:5e:00:00:12") / ip / pdu)
    sock, done = packet_socket(host), threading.Event()

    def send() -> None:
        while not done.wait(0.05):
            sock.send(frame)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sock.close()
