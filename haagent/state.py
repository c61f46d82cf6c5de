"""IO shell: what outlives the agent on disk: the epoch, and the history of role changes."""

import os
from pathlib import Path
from typing import Any

import msgspec

from haagent.schedule import Planned

MAX_LINES = 10_000
KEPT_RECORDS = 2_500


class _Pause(msgspec.Struct):
    by: str
    until: float | None


class StateDirectory:
    """`epoch`, `pause` are replaced atomically; `history.jsonl` grows by lines, the last of an id counts."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._epoch = path / "epoch"
        self._pause = path / "pause"
        self._planned = path / "planned"
        self._history = path / "history.jsonl"
        self._lines = 0
        self._torn = False  # the last line is not whole: the next one begins on a line of its own
        self._records = self._load()

    def epoch(self) -> int:
        """The highest epoch that this node has known; 0 at first."""
        try:
            return int(self._epoch.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def store_epoch(self, epoch: int) -> None:
        """Survives a power cut: written beside, synced, renamed."""
        replace(self._epoch, f"{epoch}\n".encode())

    def pause(self) -> tuple[str, float | None] | None:
        """Maintenance that has not ended: by whom, until when (seconds UTC; None: until it is resumed)."""
        try:
            stored = msgspec.json.decode(self._pause.read_bytes(), type=_Pause)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return stored.by, stored.until

    def store_pause(self, by: str, until: float | None) -> None:
        """Survives the agent, as the epoch does; no `by`: it is over."""
        if by:
            replace(self._pause, msgspec.json.encode(_Pause(by, until)))
        else:
            self._pause.unlink(missing_ok=True)

    def planned(self) -> Planned | None:
        """The switchover that is planned."""
        try:
            return msgspec.json.decode(self._planned.read_bytes(), type=Planned)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def store_planned(self, planned: Planned | None) -> None:
        """Survives the agent; None: nothing is planned."""
        if planned is not None:
            replace(self._planned, msgspec.json.encode(planned))
        else:
            self._planned.unlink(missing_ok=True)

    def history(self, last: int) -> list[dict[str, Any]]:
        """The newest records, oldest first."""
        return list(self._records.values())[-last:] if last else []

    def next_id(self) -> int:
        """For a new record."""
        return next(reversed(self._records), 0) + 1

    def remember(self, record: dict[str, Any]) -> None:
        """Show the record; `write` puts it on disk."""
        self._records[record["id"]] = record

    def write(self, record: dict[str, Any]) -> None:
        """Add a line; when there are many, keep the newest records only."""
        self._lines += 1
        if self._lines <= MAX_LINES:
            begin, self._torn = b"\n" if self._torn else b"", True
            with self._history.open("ab") as file:
                file.write(begin + _line(record))
            self._torn = False
            return
        newest = self.history(KEPT_RECORDS)
        replace(self._history, b"".join(map(_line, newest)))
        self._lines = len(newest)

    def _load(self) -> dict[int, dict[str, Any]]:
        """A line that a power cut left half written is dropped."""
        records: dict[int, dict[str, Any]] = {}
        data = self._history.read_bytes() if self._history.exists() else b""
        lines = data.splitlines()
        self._torn = bool(data) and not data.endswith(b"\n")
        for line in lines:
            try:
                record = msgspec.json.decode(line, type=dict[str, Any])
                records[record["id"]] = record
            except (msgspec.DecodeError, KeyError):
                continue
        self._lines = len(lines)
        return records


def replace(path: Path, data: bytes) -> None:
    """Write the whole file or leave the old one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _line(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record) + b"\n"
