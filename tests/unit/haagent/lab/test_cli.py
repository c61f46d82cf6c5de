"""Arguments of `haagent lab`."""

import pytest
from typer import BadParameter
from typer.testing import CliRunner

from haagent.lab.cli import app, duration


@pytest.mark.parametrize(("text", "seconds"), [("10ms", 0.01), ("100ms", 0.1), ("1s", 1.0), ("0.5s", 0.5)])
def test_advert_is_a_duration(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["9ms", "1001ms", "2s", "100", "fast", "-1s", ""])
def test_advert_outside_of_10ms_to_1s_is_refused(text: str) -> None:
    with pytest.raises(BadParameter):
        duration(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--advert", "5ms"],
        ["demo", "--strategy", "on-none"],
        ["demo", "--fault", "flood"],
        ["demo", "--calls", "0"],
        ["campaign", "--rounds", "0"],
        ["fault", "heat"],
        ["exec", "mars", "--", "true"],
    ],
)
def test_bad_arguments_exit_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
