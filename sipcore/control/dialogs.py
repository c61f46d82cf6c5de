"""Sans-IO: which calls an operator wants ended, and how full the profiles are."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sipcore.control.commands import BadRequestError, Json
from sipcore.dialog.dialog import DELETED, Dialog
from sipcore.errors import ParseError, SipcoreError
from sipcore.message import Uri


class NotMasterError(SipcoreError):
    """Only the master may do this."""


class DialogChoice(NamedTuple):
    """Dialogs by Call-ID, by their caller's URI, or all of them."""

    call_id: bytes = b""
    caller: bytes = b""  # as Uri.aor() writes it

    @classmethod
    def parse(cls, call_id: str, query: Mapping[str, str]) -> "DialogChoice":
        """Of DELETE /v1/dialogs/CALL_ID, ?from=URI or ?all=true; BadRequestError: none or several of them."""
        caller, everything = query.get("from", ""), query.get("all", "")
        if bool(call_id) + bool(caller) + bool(everything) != 1 or everything not in ("", "true"):
            raise BadRequestError("name a Call-ID, from=URI or all=true")
        if not caller:
            return cls(call_id.encode())
        try:
            return cls(caller=Uri.parse((caller if ":" in caller else f"sip:{caller}").encode()).aor())
        except ParseError as error:
            raise BadRequestError(f"from: {caller!r} is not a SIP URI: {error}") from error

    def among(self, dialogs: Iterable[Dialog]) -> list[Dialog]:
        """Those of these dialogs that are meant and have not ended."""
        return [dialog for dialog in dialogs if dialog.state is not DELETED and self._means(dialog)]

    def _means(self, dialog: Dialog) -> bool:
        if self.call_id:
            return dialog.call_id == self.call_id
        return not self.caller or _aor(dialog.from_uri) == self.caller


def profile_rows(sizes: Mapping[str, Mapping[str, int]], name: str | None) -> list[Json]:
    """One row per profile, or one per value of the named one; KeyError when there is no such profile."""
    if name is None:
        return [
            {"profile": profile, "size": sum(values.values()), "values": len(values)}
            for profile, values in sizes.items()
        ]
    return [{"value": value, "size": size} for value, size in sorted(sizes[name].items())]


def _aor(uri: bytes) -> bytes:
    try:
        return Uri.parse(uri).aor()
    except ParseError:
        return b""
