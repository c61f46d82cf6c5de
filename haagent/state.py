"""IO shell: what outlives the agent on disk: the epoch, and the history of role changes."""

import os
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

MAX_RECORDS = 10_000
KEPT_RECORDS = 5_000


class StateDirectory:
    """`epoch` is replaced atomically; `history.jsonl` grows by whole lines."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._epoch = path / "epoch"
        self._history = path / "history.jsonl"
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

    def history(self, last: int) -> list[dict[str, Any]]:
        """The newest records, oldest first."""
        return list(self._records)[-last:] if last else []

    def append(self, record: dict[str, Any]) -> None:
        """Add one record; the file is cut to the newest half when it has grown large."""
        self._records.append(record)
        if len(self._records) >= MAX_RECORDS:
            self._records = deque(list(self._records)[-KEPT_RECORDS:])
            self.rewrite()
            return
        with self._history.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")

    def rewrite(self) -> None:
        """Write the records again, after one of them was completed."""
        replace(self._history, b"".join(msgspec.json.encode(r) + b"\n" for r in self._records))

    def _load(self) -> deque[dict[str, Any]]:
        """A line that a power cut left half written is dropped."""
        records: deque[dict[str, Any]] = deque()
        try:
            lines = self._history.read_bytes().splitlines()
        except FileNotFoundError:
            return records
        for line in lines:
            try:
                records.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:
                continue
        return records


def replace(path: Path, data: bytes) -> None:
    """Write the whole file or leave the old one."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
