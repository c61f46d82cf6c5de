"""Sans-IO: the name that was probably meant."""

import difflib
from collections.abc import Iterable


def hint(name: str, known: Iterable[str], *, show_all: bool = True) -> str:
    """To put behind "there is no ...": ", did you mean 'x'?", or what there is."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f", did you mean {close[0]!r}?"
    return f"; known are {', '.join(names)}" if names and show_all else ""
