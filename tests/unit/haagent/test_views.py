"""Sans-IO: the tables of the command line."""

import io

from rich.console import Console, RenderableType

from haagent import views

STATE: dict[str, object] = {
    "node": "a",
    "role": "MASTER",
    "epoch": 4,
    "reason": "switchover by operator (uid 0)",
    "routers": [
        {
            "name": "sip",
            "vrid": 51,
            "state": "MASTER",
            "priority": 254,
            "effective_priority": 200,
            "advert_interval": 0.1,
            "vips": ["10.88.0.100", "fd88::100"],
            "vips_present": True,
            "lease": 0.09,
        }
    ],
    "peer": {"connected": False, "role": None, "epoch": None, "ready": None, "rtt_ms": None},
    "core": {"connected": True, "pid": 7, "role": "MASTER", "epoch": 4, "ready": True, "synced": False},
    "realtime": {"fifo": True, "mlock": False},
    "pid": 11,
    "guard_pid": 12,
}


def shown(table: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_status_shows_role_priority_and_what_the_kernel_refused() -> None:
    text = shown(views.status(STATE))
    assert "MASTER, epoch 4, switchover by operator (uid 0)" in text
    assert "200 of 254" in text
    assert "mlock no" in text
    assert "guard 12" in text


def test_status_says_that_there_is_no_core_and_no_guard() -> None:
    text = " ".join(shown(views.status({**STATE, "core": None, "guard_pid": None})).split())
    assert "SIP core │ none" in text
    assert "guard not running" in text


def test_text_from_outside_is_never_taken_for_markup() -> None:
    text = shown(views.status({**STATE, "reason": "[bold]x[/nope]"}))
    assert "[bold]x[/nope]" in text


def test_node_is_healthy_only_with_guard_role_and_core() -> None:
    assert views.is_healthy(STATE)
    assert not views.is_healthy({**STATE, "guard_pid": None})
    assert not views.is_healthy({**STATE, "role": "FAULT"})
    assert not views.is_healthy({**STATE, "core": {"ready": False}})
    assert views.is_healthy({**STATE, "core": None})


def test_history_shows_times_and_leaves_out_what_did_not_happen() -> None:
    record: dict[str, object] = {
        "time": "2026-01-02T03:04:05.678+00:00",
        "old": "BACKUP",
        "role": "MASTER",
        "epoch": 4,
        "reason": "the peer's agent died",
        "phases": {"decided_ms": 0.2, "vip_ms": 0.75, "announced_ms": None},
    }
    text = shown(views.history([record]))
    assert "2026-01-02 03:04:05.678 │ 4" in text
    assert "BACKUP → MASTER" in text
    assert "VIP 0.8 ms" in text
    assert "None" not in text


def test_a_switchover_is_done_when_the_peer_serves_and_a_failover_when_the_core_has_been_told() -> None:
    peer: dict[str, object] = {"role": "MASTER", "ready": True}
    assert views.has_handed_over({**STATE, "role": "BACKUP", "peer": peer})
    assert not views.has_handed_over({**STATE, "role": "BACKUP", "peer": {**peer, "ready": False}})
    assert not views.has_handed_over({**STATE, "role": "MASTER", "peer": peer})
    assert views.has_taken_over(STATE)
    assert views.has_taken_over({**STATE, "core": None})
    assert not views.has_taken_over({**STATE, "core": {"role": "BACKUP"}})
