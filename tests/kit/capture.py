"""IO shell: a packet capture on a host of the laboratory, and tshark's opinion of it."""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from haagent.lab.namespaces import Host, stop

NEEDED = ("sip.Via.branch", "sip.from.tag", "sip.To", "sip.Call-ID", "sip.CSeq.seq", "sip.CSeq.method")
LACKING = f"!({' && '.join(NEEDED)})"


class Capture:
    """tcpdump on one interface until the context ends; then `decode` asks tshark."""

    def __init__(self, host: Host, interface: str = "eth0", *, only: str = "") -> None:
        self._host, self._interface, self._only = host, interface, only
        self._folder = tempfile.TemporaryDirectory(prefix="capture-")
        self.path = Path(self._folder.name) / "capture.pcap"
        self._notes = Path(self._folder.name) / "tcpdump"

    def __enter__(self) -> Self:
        argv = [
            "tcpdump",
            "-i",
            self._interface,
            "-U",
            "-Z",
            "root",
            "--immediate-mode",
            "-w",
            str(self.path),
        ]
        with self._notes.open("wb") as notes:
            self._process = self._host.spawn([*argv, *self._only.split()], stderr=notes)
        end = time.monotonic() + 5
        while "listening on" not in self._notes.read_text():
            assert time.monotonic() < end, f"tcpdump did not start: {self._notes.read_text()}"
            time.sleep(0.01)
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self._process)

    def decode(self, display_filter: str, *fields: str) -> list[list[str]]:
        """The fields of each packet that matches, by tshark."""
        argv = ["tshark", "-r", str(self.path), "-Y", display_filter, "-T", "fields"]
        for field in fields:
            argv += ["-e", field]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def sip_faults(self) -> list[Any]:
        """What is wrong with the SIP in it: tshark's expert, malformed packets, headers that are missing.

        The expert does not mind that a header is missing which each message must have (section 8.1.1).
        """
        packets = self.decode(
            f"sip && ({LACKING} || _ws.malformed)", "frame.number", "sip.Call-ID", "sip.CSeq"
        )
        return [*packets, *self.complaints("sip")]

    def complaints(self, display_filter: str) -> list[Any]:
        """What tshark's expert finds wrong in the packets that match (warnings and errors)."""
        wanted = f"({display_filter}) && (_ws.expert.severity == warning || _ws.expert.severity == error)"
        argv = ["tshark", "-r", str(self.path), "-Y", wanted, "-T", "json", "-e", "_ws.expert.message"]
        argv += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:FALSE"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        found: list[Any] = json.loads(done.stdout or "[]")
        return found
