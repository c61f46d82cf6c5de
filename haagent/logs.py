"""IO shell: structlog set-up, for people or as JSON lines; each event is also handed to a tap."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}
_threshold = {"level": _LEVELS["info"]}

Tap = Callable[[str, Mapping[str, Any]], None]


def configure(log_format: str, level: str, tap: Tap | None = None) -> None:
    """Send every record to standard error: `console` for people, `json` one object per line.

    `tap` gets all events above debug, whatever the level: the log and the stream of events are one thing.
    """
    set_level(level)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_Tapped(tap)] if tap is not None else []),
        _above_threshold,
    ]
    if log_format == "json":
        shared += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        shared.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()))
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def set_level(level: str) -> None:
    """From now on, in every logger that is there already."""
    _threshold["level"] = _LEVELS[level]


def _above_threshold(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _LEVELS.get(method, 50) < _threshold["level"]:
        raise structlog.DropEvent
    return event


class _Tapped:
    """Hands each event over, also those that the log does not show."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _LEVELS.get(method, 50) >= _LEVELS["info"]:
            self._tap(str(event["event"]), event)
        return event
