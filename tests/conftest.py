"""IO shell: which tests this machine can run; a skip says what is missing, and CI skips nothing."""

import os
import shutil

import pytest

PEERS = ("keepalived", "sipp", "tshark", "kamailio", "baresip", "named", "nsupdate")
SYSTEMD = ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
MACHINES = ("systemd-nspawn", "mmdebstrap", "unshare", "nsenter")
NEEDS = {
    "interop": PEERS,
    "root": (),
    "lab": (),
    "systemd": SYSTEMD,
    "machines": MACHINES,
    "vagrant": ("vagrant",),
}


def missing(item: pytest.Item) -> str | None:
    """What this machine lacks to run the test, or None."""
    for marker, tools in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        if os.geteuid() != 0:
            return f"{marker} tests make network namespaces or users: run as root"
        for tool in tools:
            if shutil.which(tool) is None:
                return f"{tool} is not installed (see .ci/debian-test)"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip with the reason; in CI a machine without the parts is an error."""
    reason = missing(item)
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test: {reason}")
    pytest.skip(reason)
