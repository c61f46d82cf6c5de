"""IO shell: a control group in every hierarchy, for a machine whose systemd takes its own for the root.

Two machines in one group would find each other's services in theirs. Not in the hierarchy of `cpu`: a new
group there has no share of real time (CONFIG_RT_GROUP_SCHED), and SCHED_FIFO would be refused.
"""

import os
import time
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_OURS = Path("/proc/self/cgroup")


class ControlGroups:
    """Below the groups of this process; `remove` when nothing is left in them."""

    def __init__(self, name: str) -> None:
        self._name = f"haagent-{os.getpid()}-{name}"
        self.paths = [base / self._name for base in _own_groups()]
        for path in self.paths:
            path.mkdir()
            if path.parent.joinpath(
                "cpuset.cpus"
            ).exists():  # version 1: empty at first, and then nothing may enter
                for what in ("cpuset.cpus", "cpuset.mems"):
                    path.joinpath(what).write_text(path.parent.joinpath(what).read_text())

    def remove(self, timeout: float = 5.0) -> None:
        """Take the groups away, the innermost first; processes that have just died may still be in them."""
        end = time.monotonic() + timeout
        for top in self.paths:
            for folder, _, _ in sorted(os.walk(top), reverse=True):
                while not _removed(Path(folder)) and time.monotonic() < end:
                    time.sleep(0.02)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _own_groups() -> list[Path]:
    """The directories of the groups that this process is in."""
    mounts: dict[str, Path] = {}
    for line in _MOUNTS.read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            mounts[""] = Path(place)
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, Path(place))
    found = []
    for line in _OURS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        base = mounts.get(controllers.split(",")[0])
        if base is not None and "cpu" not in controllers.split(",") and (base / path.lstrip("/")).is_dir():
            found.append(base / path.lstrip("/"))
    return found
