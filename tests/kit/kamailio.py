"""IO shell: Debian's Kamailio as the proxy before or behind the SIP core."""

import subprocess
from pathlib import Path
from typing import Self

from haagent.lab.namespaces import Host, stop
from tests.kit.certificates import Authority
from tests.kit.sip_live import wait_for

CONFIG = """
#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=1
async_workers=0
auto_aliases=no
tcp_source_ipv4={address}
enable_tls={enable_tls}
{listen}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
{tls}
modparam("rr", "enable_double_rr", 1)
modparam("usrloc", "db_mode", 0)
modparam("registrar", "path_mode", 1)
modparam("registrar", "use_path", 1)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not Here"); exit;
    }}
    t_check_trans();
    # what the core sends to a phone behind us has our Path as its Route
    if (is_present_hf("Route")) {{
        loose_route();
        if (is_method("INVITE|SUBSCRIBE")) record_route();
        t_relay(); exit;
    }}
    if ($rd == "{domain}") {{
        if (is_method("REGISTER")) {{ save("location"); exit; }}
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
        if (is_method("INVITE|SUBSCRIBE")) record_route();
        t_relay(); exit;
    }}
    if (is_method("REGISTER")) append_hf("Path: <{path}>\r\n", "Call-ID");
    if (is_method("INVITE|SUBSCRIBE")) record_route();
    $du = "{core}";
    t_relay();
}}
"""
TLS = """
loadmodule "tls.so"
modparam("tls", "private_key", "{key}")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "ca_list", "{authority}")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 0)
"""


class Kamailio:
    """kamailio -x fm, registrar of `domain` and the edge of everything else, which it sends to `core`.

    `core`: a SIP URI; between the two runs `transport`. `tls`: who signs its certificate, and the core's.
    """

    def __init__(
        self,
        host: Host,
        folder: Path,
        *,
        address: str,
        core: str,
        transport: str = "udp",
        domain: str = "kamailio.test",
        tls: Authority | None = None,
    ) -> None:
        self._host, self._folder = host, folder
        self.address = address
        folder.mkdir(parents=True, exist_ok=True)
        listen = [f"listen=udp:{address}:5060", f"listen=tcp:{address}:5060"]
        if tls is not None:
            listen.append(f"listen=tls:{address}:5061")
        text = CONFIG.format(
            listen="\n".join(listen),
            address=address,
            core=core if transport == "udp" else f"{core};transport={transport}",
            path=f"sip:{address}:{5061 if transport == 'tls' else 5060};transport={transport};lr",
            domain=domain,
            enable_tls="yes" if tls is not None else "no",
            tls=_tls(tls, address) if tls is not None else "",
        )
        (folder / "kamailio.cfg").write_text(text.lstrip())

    def __enter__(self) -> Self:
        folder = self._folder
        argv = ["kamailio", "-f", str(folder / "kamailio.cfg"), "-DD", "-E", "-x", "fm", "-X", "fm"]
        argv += ["-m", "64", "-M", "4", "-w", str(folder), "-Y", str(folder), "-P", str(folder / "pid")]
        with (folder / "log").open("wb") as log:
            self._process = self._host.spawn(argv, stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._listens, "Kamailio listens", self.log)
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self._process, grace=10)

    def log(self) -> str:
        """What it wrote."""
        return (self._folder / "log").read_text(errors="replace")

    def _listens(self) -> bool:
        """Its processes are up: the last one, of TCP, too."""
        assert self._process.poll() is None, self.log()
        with self._host.entered():
            done = subprocess.run(
                ["ss", "-Hlnt", f"src {self.address}:5060"], capture_output=True, text=True, check=True
            )
        return bool(done.stdout.strip())


def _tls(authority: Authority, address: str) -> str:
    made = authority.issue(address)
    return TLS.format(key=made.key, certificate=made.certificate, authority=authority.ca)
