"""Any text is converted or refused by the one named error; what comes out is TOML."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from haagent.keepalived.convert import convert
from haagent.keepalived.parse import ConvertError, parse
from tests.unit.haagent.keepalived.test_convert import SIP, TWO, nothing

WORDS = sorted(
    {*SIP.split(), *TWO.split(), "@a", "@^a", "$X=1", "${X}", '"', "'", "!", "#", "\n", "fe80::1%eth0"}
)


def run(text: str) -> None:
    try:
        tree = parse(text, "k.conf", node="a", include=nothing)
    except ConvertError:
        return
    tomllib.loads(convert(tree).text)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text(text: str) -> None:
    run(text)


@settings(max_examples=400, deadline=None)
@given(
    words=st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=60),
    line=st.sampled_from(" \n"),
)
def test_keepalived_s_own_words_in_any_order(words: list[str], line: str) -> None:
    run(line.join(words))


@settings(max_examples=300, deadline=None)
@given(
    base=st.sampled_from((SIP, TWO)),
    at=st.integers(0, 1400),
    cut=st.integers(0, 40),
    put=st.text(max_size=12),
)
def test_real_files_with_a_piece_replaced(base: str, at: int, cut: int, put: str) -> None:
    run(base[:at] + put + base[at + cut :])
