"""IO shell: what showing, hiding and renewing the lease of two VIPs costs, on a host of the laboratory."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from haagent.lab.namespaces import become_root
from haagent.lab.topology import VIP, VIP6, Lan
from netrules import Backend, Flip, IptablesFlip, Strategy, Vip, apply, desired

VIPS = [Vip.parse(VIP, "eth0"), Vip.parse(VIP6, "eth0")]


def cost(call: Callable[[], None], rounds: int) -> float:
    """Median wall time of a call in milliseconds."""
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        took.append((time.perf_counter() - begin) * 1e3)
    return median(took)


def main() -> None:
    """One line per backend."""
    become_root()
    with Lan() as lan, lan.hosts["a"].entered(), tempfile.TemporaryDirectory() as folder:
        nft = desired(Strategy.ON_BOTH, Backend.NFTABLES, VIPS, lease=True)
        apply(nft, state_dir=Path(folder))
        flip = Flip(nft, 10_000)
        shown = cost(flip.show, 300), cost(flip.refresh, 300), cost(flip.hide, 300)
        sys.stdout.write("nftables  show {:.2f}  renew {:.2f}  hide {:.2f} ms\n".format(*shown))
        tables = desired(Strategy.ON_BOTH, Backend.IPTABLES, VIPS, lease=False)
        apply(tables, state_dir=Path(folder))
        forked = IptablesFlip(tables)
        sys.stdout.write(f"iptables  show {cost(forked.show, 10):.0f}  hide {cost(forked.hide, 10):.0f} ms\n")


if __name__ == "__main__":
    main()
