"""The table of interoperation names each scenario once, and a test that there is."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| (I\d+) \|.*?`(test_\w+\.py)::(test_\w+)`", re.MULTILINE)


def test_each_scenario_of_interoperation_has_a_row_and_each_row_a_test() -> None:
    data = json.loads((ROOT / "tests/interop/vrrp_scenarios.json").read_text())
    rows = ROW.findall((ROOT / "docs/reference/interoperation.md").read_text())
    assert [scenario["id"] for scenario in data["scenarios"]] == [name for name, _file, _test in rows]
    for _name, file, test in rows:
        assert f"def {test}(" in (ROOT / "tests/interop" / file).read_text(), test
