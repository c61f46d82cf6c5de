"""IO shell: two cores whose link is compressed: a full sync, the live tail, and what the status says."""

from pathlib import Path
from typing import Any

import pytest

from tests.kit.sip_live import USERS, CoreProcess, LivePhones, free_port, wait_for

A, B = "127.0.83.1", "127.0.83.2"


def peer(core: CoreProcess) -> dict[str, Any]:
    (row,) = core.client.get("/v1/replication")["peers"].values()
    return dict(row)


def held(core: CoreProcess) -> set[str]:
    return {row["aor"] for row in core.client.get("/v1/location") if row["state"] != "removed"}


@pytest.mark.parametrize("both", [True, False])
def test_a_link_is_compressed_when_both_cores_want_it(tmp_path: Path, both: bool) -> None:
    port = free_port(A)
    link_a, link_b = f"{A}:{port}", f"{B}:{port}"
    a = CoreProcess(
        tmp_path, node="a", address=A, standalone=False, link=(link_a, link_b),
        more=f'compress = ["{link_b}"]\n',
    )  # fmt: skip
    b = CoreProcess(
        tmp_path, node="b", address=B, standalone=False, link=(link_b, link_a),
        more=f'compress = ["{link_a}"]\n' if both else "",
    )  # fmt: skip
    first, *later = USERS
    with a:
        a.role("MASTER", 1)
        with LivePhones((A, a.port), *USERS) as phones:
            phones.register(first)
            with b:
                wait_for(lambda: len(held(b)) == 1, "the standby has the snapshot", b.log)
                phones.register(*later)
                wait_for(lambda: len(held(b)) == len(USERS), "the standby has the tail", b.log)
                of_a, of_b = peer(a), peer(b)
                assert of_a["compressed"] is of_b["compressed"] is both
                if both:
                    assert min(of_a["sent_ratio"], of_b["received_ratio"]) > 1.2
                verified = a.cli("replication", "verify")
                assert (verified.returncode, "the same everywhere" in verified.stdout) == (0, True), verified
                shown = a.cli("replication", "status")
                assert (shown.returncode, "ratio" in shown.stdout) == (0, True), shown
