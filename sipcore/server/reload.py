"""IO shell: files read anew while calls go on: a part takes them, or keeps what it has and says why."""

from collections.abc import Callable

import structlog

from sipcore.control.commands import Json
from sipcore.errors import SipcoreError

log = structlog.get_logger(__name__)


class Reloads:
    """What `sipcore reload`, SIGHUP and PUT /v1/reload do, part by part in the order of `add`."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, Callable[[], str]]] = []

    def add(self, what: str, reload: Callable[[], str]) -> None:
        """`reload` returns what there is now; a SipcoreError says why all stays as it was."""
        self._parts.append((what, reload))

    def run(self) -> list[Json]:
        """Reload every part; one that is refused does not keep the others."""
        return [self._run(what, reload) for what, reload in self._parts]

    @staticmethod
    def _run(what: str, reload: Callable[[], str]) -> Json:
        try:
            message = reload()
        except SipcoreError as error:
            log.error("reload refused", what=what, error=str(error))  # noqa: TRY400 - no fault of ours
            return {"what": what, "done": False, "message": str(error)}
        log.info("reloaded", what=what, message=message)
        return {"what": what, "done": True, "message": message}
