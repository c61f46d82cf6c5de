"""Sans-IO: dialog profiles with values, as in OpenSIPS: how many calls does "alice" have? Sizes in O(1)."""

import difflib
from collections.abc import Iterable, Mapping

from sipcore.errors import DialogError

SHARED = "/s"  # behind a profile's name: its size is to be counted over all nodes
MAX_PER_DIALOG = 32
MAX_VALUE = 256  # characters


class Profiles:
    """Counts the dialogs of each (profile, value); a dialog is in each pair at most once.

    `names` as in the configuration: "caller", or "trunk/s" for one that several nodes will count together.
    Deviations: a shared profile still counts the calls of this pair only.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.shared = frozenset(name.removesuffix(SHARED) for name in names if name.endswith(SHARED))
        self._counts: dict[str, dict[str, int]] = {name.removesuffix(SHARED): {} for name in names}
        self._totals = dict.fromkeys(self._counts, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """The profiles that the configuration declares."""
        return tuple(self._counts)

    def size(self, profile: str, value: str | None = None) -> int:
        """How many dialogs are in a profile, with this value or with any (get_profile_size)."""
        counts = self._of(profile)
        return self._totals[profile] if value is None else counts.get(value, 0)

    def values(self, profile: str) -> Mapping[str, int]:
        """The values of a profile that have dialogs, with their sizes."""
        return self._of(profile)

    def check(self, profile: str, value: str, present: int) -> None:
        """One more pair for a dialog that is in `present` pairs; DialogError says why not."""
        self._of(profile)
        if len(value) > MAX_VALUE:
            raise DialogError(f"profile {profile!r}: a value of {len(value)} characters, over {MAX_VALUE}")
        if present >= MAX_PER_DIALOG:
            raise DialogError(f"profile {profile!r}: the dialog is in {MAX_PER_DIALOG} profiles already")

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """A dialog has come into these; one that is not declared here (an older peer's) is left out."""
        for profile, value in pairs:
            counts = self._counts.get(profile)
            if counts is not None:
                counts[value] = counts.get(value, 0) + 1
                self._totals[profile] += 1

    def discard(self, pairs: Iterable[tuple[str, str]]) -> None:
        """A dialog has left these."""
        for profile, value in pairs:
            counts = self._counts.get(profile)
            if counts is None:
                continue
            self._totals[profile] -= 1
            if counts[value] > 1:
                counts[value] -= 1
            else:
                del counts[value]

    def _of(self, profile: str) -> dict[str, int]:
        counts = self._counts.get(profile)
        if counts is None:
            close = difflib.get_close_matches(profile, self._counts, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ""
            raise DialogError(f"profile {profile!r}: not declared in dialog.profiles{hint}")
        return counts
