"""Kamailio's sipcapture, the capture agent that Homer grew from, reads what we send to capture servers."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.sip_live import CoreProcess, LivePhones, free_port, wait_for

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("kamailio") is None, reason="needs Debian's kamailio"),
]
CONFIG = """\
debug=0
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{folder}")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
request_route {{
	xlog("L_ALERT", "SEEN $rm $fU from $si:$sp\\n");
	drop;
}}
reply_route {{
	xlog("L_ALERT", "SEEN $rs $fU from $si:$sp\\n");
	drop;
}}
"""


@contextmanager
def homer(folder: Path, port: int) -> Iterator[Path]:
    """Kamailio as capture server; what it says of each message stands in the file."""
    folder.mkdir()
    (folder / "kamailio.cfg").write_text(CONFIG.format(port=port, folder=folder))
    place = str(folder)
    argv = ["kamailio", "-DD", "-E", "-f", "kamailio.cfg", "-w", place, "-Y", place, "-P", f"{place}/pid"]
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, cwd=folder, stderr=log) as run:
        try:
            wait_for(lambda: bool(_bound(port)), "kamailio listens", (folder / "log").read_text)
            yield folder / "log"
        finally:
            run.terminate()


def _bound(port: int) -> bool:
    return any(f":{port:04X} " in line for line in Path("/proc/net/udp").read_text().splitlines())


def test_kamailio_reads_who_sent_which_message(tmp_path: Path) -> None:
    port = free_port()
    more = f'[trace]\nhep = ["127.0.0.1:{port}"]\n'
    with homer(tmp_path / "homer", port) as log, CoreProcess(tmp_path, more=more) as core:
        with LivePhones((core.address, core.port), "bob") as phones:
            phone = "{}:{}".format(*phones.wire.socket.getsockname())
            phones.register("bob")
        ours = f"{core.address}:{core.port}"
        wanted = [f"REGISTER bob from {phone}", f"401 bob from {ours}", f"200 bob from {ours}"]
        wait_for(lambda: all(line in log.read_text() for line in wanted), str(wanted), log.read_text)
