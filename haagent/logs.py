"""IO shell: structlog set-up, for people on the console or as JSON lines."""

import logging
import sys

import structlog
from structlog.types import EventDict, WrappedLogger

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}
_threshold = {"level": _LEVELS["info"]}


def configure(log_format: str, level: str) -> None:
    """Send every record to standard error: `console` for people, `json` one object per line."""
    set_level(level)
    shared: list[structlog.types.Processor] = [
        _above_threshold,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
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
