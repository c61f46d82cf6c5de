"""Sans-IO: what `sipcore check` finds in a script without running it."""

from pathlib import Path
from textwrap import dedent

import pytest

import sipcore.script
from sipcore.script.check import check_source

GOOD = """\
from sipcore.script import *

@request_route
async def main(call: Call) -> None:
    if await is_method(call, "REGISTER"):
        await save(call, "location")
        return
    await t_on_failure(call, "voicemail")
    await relay(call)

@failure_route("voicemail")
async def voicemail(call: Call) -> None:
    if await t_check_status(call, "486|408"):
        call.rU = "vm"
        await relay(call)
"""


def found(source: str, stores: tuple[str, ...] | None = None) -> list[str]:
    return [str(finding) for finding in check_source(dedent(source).encode(), "s.py", stores)]


def in_route(body: str, more: str = "") -> list[str]:
    """What is found in these lines of a request route; line 5 is the first of them."""
    head = "from sipcore.script import *\nimport asyncio\n@request_route\nasync def main(call):\n"
    return found(head + "".join(f"    {line}\n" for line in body.splitlines()) + more)


def test_nothing_is_found_in_a_good_script() -> None:
    assert found(GOOD) == []


def test_a_syntax_error_has_its_line() -> None:
    assert found("def f(:\n") == ["s.py:1: syntax: invalid syntax"]
    assert found("\x00")[0].startswith("s.py:1: syntax:")


def test_a_script_without_request_route_is_none() -> None:
    assert found("from sipcore.script import *\n") == [
        "s.py:1: no @request_route: nothing would answer a request"
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("await relya(call)", "unknown name 'relya', did you mean 'relay'?"),
        ("print(call.metod)", "call has no 'metod', did you mean 'method'?"),
        ("call.fU = 'x'", "call.fU cannot be set"),
        ("relay(call)", "relay(...) is not awaited: it would do nothing"),
        ("if has_totag(call): return", "has_totag(...) is not awaited: it would do nothing"),
        ("await save()", "save(): missing a required argument: 'call'"),
        ("await save(call, table='x')", "save(): got an unexpected keyword argument 'table'"),
        ("await t_on_failure(call, 'voicmail')", 't_on_failure: there is no failure_route("voicmail")'),
        ("await xlog(call, 'L_WRONG', 'x')", "xlog: 'L_WRONG' is not one of L_ALERT, L_CRIT, L_ERR"),
        ("exit()", "exit() would end the process; a route ends with `return`"),
        ("await asyncio.sleep(1)", "asyncio.sleep(...) needs an asyncio task: await run(asyncio.sleep(...))"),
    ],
)
def test_a_mistake_in_a_route_is_named_with_its_line(line: str, message: str) -> None:
    findings = in_route(f"pass\n{line}")
    assert findings
    assert findings[0].startswith(f"s.py:6: {message}")


def test_work_of_asyncio_that_is_wrapped_is_fine() -> None:
    assert in_route("await run(asyncio.sleep(1))") == []


def test_starred_arguments_are_not_judged() -> None:
    assert in_route("arguments = (call,)\nawait save(*arguments)") == []


def test_the_armed_route_that_is_meant_is_suggested() -> None:
    more = '@failure_route("voicemail")\nasync def vm(call):\n    await relay(call)\n'
    findings = in_route('await t_on_failure(call, "voicmail")', more)
    assert findings == [
        "s.py:5: t_on_failure: there is no failure_route(\"voicmail\"), did you mean 'voicemail'?"
    ]


def test_an_own_async_function_that_is_not_awaited_is_found() -> None:
    more = "async def helper(call):\n    await relay(call)\n"
    assert in_route("helper(call)", more) == ["s.py:5: helper(...) is not awaited: it would do nothing"]
    assert in_route("await helper(call)", more) == []


@pytest.mark.parametrize(
    ("decorator", "message"),
    [
        ('@event_route("E_UL_AOR_INSRT")', "unknown event 'E_UL_AOR_INSRT', did you mean 'E_UL_AOR_INSERT'?"),
        ("@failure_route", '@failure_route needs a name: @failure_route("name")'),
        ("@failure_route(7)", "@failure_route: 7 is not a name"),
        ("@request_rout", "unknown name 'request_rout', did you mean 'request_route'?"),
        ("@request_route", "request_route is there already, in line 3"),
        ("@request_route()", "@request_route takes no arguments"),
    ],
)
def test_a_wrong_decorator_is_named_with_its_line(decorator: str, message: str) -> None:
    more = f"{decorator}\nasync def other(x):\n    pass\n"
    assert in_route("await relay(call)", more)[0] == f"s.py:6: {message}"


def test_two_routes_or_functions_of_one_name_are_found() -> None:
    more = (
        '@branch_route("x")\nasync def a(call):\n    pass\n@branch_route("x")\nasync def a(call):\n    pass\n'
    )
    assert in_route("await relay(call)", more) == [
        's.py:9: branch_route("x") is there already, in line 6',
        "s.py:10: a is defined already, in line 7",
    ]


def test_a_route_is_async_and_takes_the_call() -> None:
    assert in_route("pass", '@branch_route("x")\ndef other(call, branch):\n    pass\n') == [
        "s.py:7: other: a route is `async def`",
        "s.py:7: other: a route takes one argument, the call",
    ]


def test_a_branch_route_that_waits_is_found() -> None:
    more = '@branch_route("x")\nasync def other(call):\n    await run(asyncio.sleep(1))\n'
    assert in_route("await relay(call)", more) == ["s.py:8: run(...): a branch_route must not wait"]


def test_a_store_that_the_config_does_not_have_is_found() -> None:
    source = GOOD + '    await cache_fetch(call, "redis:locatoin", "key")\n'
    assert found(source, ("redis:location",)) == [
        "s.py:16: cache_fetch: the config has no store 'redis:locatoin', did you mean 'redis:location'?"
    ]
    assert found(source) == []


def test_names_imported_one_by_one_or_as_a_package_are_understood() -> None:
    source = """\
    from sipcore.script import relay as go, request_route, Call
    import sipcore.script as s

    @s.failure_route("x")
    async def failed(call: Call) -> None:
        s.relay(call)

    @request_route
    async def main(call: Call) -> None:
        go(call)
    """
    assert found(source) == [
        "s.py:6: relay(...) is not awaited: it would do nothing",
        "s.py:10: relay(...) is not awaited: it would do nothing",
    ]


def test_an_import_of_what_there_is_not_is_found() -> None:
    assert found("from sipcore.script import lookpu\n")[1] == (
        "s.py:1: sipcore.script has no 'lookpu', did you mean 'lookup'?"
    )


def test_names_of_comprehensions_globals_and_classes_are_known() -> None:
    source = GOOD + dedent(
        """
        LIMIT = 3
        class Pop:
            names = [name for name in ("a", "b")]
        def later() -> int:
            global made
            made = LIMIT
            return sum(x for x in range(made))
        def read() -> int:
            try:
                return made
            except KeyError as error:
                raise ValueError(error) from None
        """
    )
    assert found(source) == []


def test_everything_that_is_offered_exists_and_is_documented() -> None:
    for name in sipcore.script.__all__:
        assert getattr(sipcore.script, name).__doc__, name
    assert sorted(sipcore.script.__all__) == sipcore.script.__all__
    assert len(Path(sipcore.script.__file__).read_text()) > 0
