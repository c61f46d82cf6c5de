"""Sans-IO: changes to the copies of a request, as values that a standby can repeat."""

from enum import IntEnum
from typing import NamedTuple

from sipcore.message import Edit


class Change(IntEnum):
    """What a header edit does; the numbers stand on the replication wire."""

    APPEND = 0
    INSERT = 1  # above the first line of that header
    REPLACE = 2  # the value of the first line
    REMOVE = 3  # every line
    BODY = 4  # `name` is the Content-Type, `value` the body


class HeaderEdit(NamedTuple):
    """A change that is made to each copy of the request when it is written."""

    change: int
    name: bytes
    value: bytes = b""

    def apply(self, edit: Edit) -> None:
        """Make it."""
        if self.change == Change.APPEND:
            edit.append(self.name, self.value)
        elif self.change == Change.INSERT:
            edit.insert_first(self.name, self.value)
        elif self.change == Change.REPLACE:
            edit.replace(self.name, self.value)
        elif self.change == Change.REMOVE:
            edit.remove(self.name)
        else:
            edit.body(self.name, self.value)
