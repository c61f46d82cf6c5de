"""IO shell: the files that systemd reads, as they are for one installation of the programs."""

from importlib import resources
from pathlib import Path

from haagent.errors import HostError

PACKAGED_BIN = "/usr/bin"  # where the files of this package say that the programs are
HIDDEN = ("/home", "/root", "/run/user")  # from a service with ProtectHome=
TARGETS = {
    "haagent.service": "/etc/systemd/system/haagent.service",
    "sipcore.service": "/etc/systemd/system/sipcore.service",
    "sysusers.conf": "/etc/sysusers.d/haagent.conf",
    "tmpfiles.conf": "/etc/tmpfiles.d/haagent.conf",
}
SERVICES = ("haagent.service", "sipcore.service")


def files(bin_dir: Path) -> dict[str, str]:
    """Path on the host -> content, with the programs in `bin_dir`."""
    data = resources.files("haagent.systemd") / "data"
    texts = {TARGETS[name]: (data / name).read_text(encoding="utf-8") for name in TARGETS}
    return {path: text.replace(f"={PACKAGED_BIN}/", f"={bin_dir}/") for path, text in texts.items()}


def require_visible(bin_dir: Path) -> None:
    """A service with ProtectHome= cannot run a program in somebody's home."""
    hidden = [place for place in HIDDEN if bin_dir.is_relative_to(place)]
    if hidden:
        raise HostError(
            f"{bin_dir}: the services do not see {hidden[0]} (ProtectHome=yes);"
            " install into a virtual environment such as /opt/haagent"
        )
