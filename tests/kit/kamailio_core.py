"""IO shell: Debian's Kamailio as the SIP core beside an agent: on the VIP, told its role by JSON-RPC."""

import signal
import subprocess
from pathlib import Path

from haagent.lab.namespaces import Host, signal_all, stop
from haagent.lab.topology import VIP

CONFIG = """
#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
async_workers=0
auto_aliases=no
listen=udp:{vip}:5060
listen=tcp:127.0.0.1:8090
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xhttp.so"
loadmodule "jsonrpcs.so"
modparam("jsonrpcs", "transport", 7)
modparam("jsonrpcs", "dgram_socket", "{folder}/kamailio_rpc.sock")
modparam("jsonrpcs", "fifo_name", "{folder}/kamailio_rpc.fifo")
modparam("jsonrpcs", "dgram_workers", 1)

request_route {{ sl_send_reply("200", "{node} master=$shv(haagent_master)"); }}
event_route[xhttp:request] {{ jsonrpc_dispatch(); }}
"""


class KamailioCore:
    """One Kamailio; it may be started and killed again and again."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._folder = folder
        (folder / "kamailio.cfg").write_text(CONFIG.format(vip=VIP, folder=folder, node=host.name))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it binds the VIP before it is there."""
        with self._host.entered():
            Path("/proc/sys/net/ipv4/ip_nonlocal_bind").write_text("1")
        argv = ["kamailio", "-DD", "-E", "-f", str(self._folder / "kamailio.cfg"), "-m", "32", "-M", "4"]
        argv += ["-Y", str(self._folder), "-P", str(self._folder / "kamailio.pid")]
        with (self._folder / "kamailio.log").open("ab") as log:
            self._process = self._host.spawn(argv, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Its main process."""
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """All of its processes, the main one first."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def kill(self) -> None:
        """All of them at once."""
        assert self._process is not None
        signal_all(self.pids(), signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            stop(self._process)
