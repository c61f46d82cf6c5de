"""Calls in every state bring the phones the same messages with a takeover at that moment as without one."""

from pathlib import Path

import pytest

from haagent.lab.topology import Lan, address
from tests.kit.core_pair import Pair
from tests.kit.live_takeover import STATES, Stage

pytestmark = pytest.mark.root


def play(folder: Path, *, takeover: bool) -> dict[tuple[str, str], list[tuple[object, ...]]]:
    folder.mkdir()
    route = folder / "route.py"
    with Lan() as lan:
        with lan.hosts["client"].entered():
            stage = Stage(address("client"))
        route.write_text(stage.routes)
        with Pair(lan, folder, f'[script]\npath = "{route}"\n[proxy]\nrelay = "any"\n', ()) as pair:
            stage.run(pair, takeover=takeover)
            core = pair.b if takeover else pair.a
            status, counters = core.status(), core.counters()
            assert (counters["failures"], status["dialogs"]) == (0, 0), core.log()
            assert counters["failed_takeovers"] == 0
        seen = stage.seen()
        stage.close()
        return seen


@pytest.mark.timeout(180)
def test_the_phones_see_the_same_messages_with_a_takeover_and_without(tmp_path: Path) -> None:
    control = play(tmp_path / "control", takeover=False)
    assert {call for call, _ in control} == set(STATES)
    taken = play(tmp_path / "taken", takeover=True)
    for place in sorted(control.keys() | taken.keys()):
        assert taken.get(place) == control.get(place), place
