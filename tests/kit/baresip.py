"""IO shell: Debian's baresip as a phone that nobody of us wrote, led by its control socket."""

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from haagent.lab.namespaces import Host, stop
from tests.kit.sip_live import DOMAIN, PATIENCE, USERS, wait_for

CONFIG = """
module_path /usr/lib/baresip/modules
sip_listen {address}:{port}
sip_cafile {authority}
{more}
audio_source ausine,440
audio_player aufile,{folder}/play.wav
audio_alert aufile,{folder}/alert.wav
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 2
auplay_channels 2
rtp_ports {rtp}-{rtp_last}
ctrl_tcp_listen {address}:{control}
module g711.so
module ausine.so
module aufile.so
module uuid.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
"""
RTP_PORTS = 99


class Baresip:
    """A phone of one of the users; it answers by itself. `port` and the 200 above it are its own."""

    def __init__(
        self,
        host: Host,
        folder: Path,
        user: str,
        *,
        proxy: str,
        address: str,
        port: int,
        authority: str,
        certificate: str = "",
    ) -> None:
        self._host, self._folder = host, folder
        self.address, self.rtp = address, port + 100
        self._control = (address, port + 10)
        self._socket: socket.socket | None = None
        self._unread = b""
        self.events: list[dict[str, Any]] = []
        folder.mkdir(parents=True)
        text = CONFIG.format(
            address=address,
            port=port,
            control=port + 10,
            rtp=self.rtp,
            rtp_last=self.rtp + RTP_PORTS,
            folder=folder,
            authority=authority,
            more=f"sip_certificate {certificate}" if certificate else "",
        )
        (folder / "config").write_text(text)
        _, _, transport = proxy.partition(";")
        (folder / "accounts").write_text(
            f'<sip:{user}@{DOMAIN};{transport}>;auth_user={user};auth_pass={USERS[user]};outbound="{proxy}"'
            ";regint=600;answermode=auto;audio_codecs=pcmu\n"
        )
        (folder / "contacts").write_text("")

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            argv = ["baresip", "-f", str(self._folder)]
            self._process = self._host.spawn(argv, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._connected, "baresip listens for commands", self.log)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._socket is not None:
            self._socket.close()
        stop(self._process)

    def command(self, command: str, params: str = "") -> None:
        """Tell it to do something."""
        assert self._socket is not None
        text = json.dumps({"command": command, "params": params, "token": "t"})
        self._socket.sendall(f"{len(text)}:{text},".encode())

    def until(self, *types: str) -> dict[str, Any]:
        """The next event of one of these types."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for event in self.events:
                if event.get("type") in types:
                    self.events.remove(event)
                    return event
            self._read()
        raise AssertionError(f"none of {types} came, but {self.events}\n{self.log()}")

    def log(self) -> str:
        """What it wrote."""
        return (self._folder / "log").read_text(errors="replace")

    def _connected(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            with self._host.entered():
                self._socket = socket.create_connection(self._control, timeout=1)
        except OSError:
            return False
        self._socket.settimeout(0.2)
        return True

    def _read(self) -> None:
        """Netstrings of JSON."""
        assert self._socket is not None
        try:
            self._unread += self._socket.recv(65536)
        except TimeoutError:
            return
        while b":" in self._unread:
            size, _, rest = self._unread.partition(b":")
            if len(rest) <= int(size):
                return
            self.events.append(json.loads(rest[: int(size)]))
            self._unread = rest[int(size) + 1 :]
