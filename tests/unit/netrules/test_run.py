"""Tools that fail, are missing or hang become one typed error."""

import sys

import pytest

from netrules import MissingPrivilegeError, RulesError
from netrules.run import run

SAYS = [sys.executable, "-c"]


def test_input_goes_in_and_output_comes_back() -> None:
    assert run([*SAYS, "print(input() + '!')"], text="hello") == "hello!\n"


def test_a_failing_tool_is_quoted() -> None:
    with pytest.raises(RulesError, match="no chain by that name"):
        run([*SAYS, "import sys; sys.exit('no chain by that name')"])


def test_a_tool_that_lacks_privilege_is_another_error() -> None:
    with pytest.raises(MissingPrivilegeError, match="needs CAP_NET_ADMIN"):
        run([*SAYS, "import sys; sys.exit('Permission denied (you must be root)')"])


def test_a_missing_tool_is_named() -> None:
    with pytest.raises(RulesError, match="no-such-tool is not installed"):
        run(["no-such-tool"])


def test_a_tool_that_hangs_is_ended() -> None:
    with pytest.raises(RulesError, match="has not ended after"):
        run([*SAYS, "import time; time.sleep(60)"], seconds=0.2)
