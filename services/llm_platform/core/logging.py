"""Logs: one JSON object a line, with the request's and the trace's id, and no secret.

One processor renders the whole event, since an access line is on the request path. The standard
library's loggers (aiohttp, grpc, alembic, asyncio) end in the same place.
"""

from __future__ import annotations

import atexit
import contextlib
import logging as stdlib
import sys
import time
import traceback
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import IO, Any, cast

import msgspec

from llm_platform.core.config import Config
from llm_platform.core.log_output import LogOutput
from llm_platform.core.redaction import REDACTED, EventRedactor, Secret, redact
from llm_platform.core.timestamps import Timestamps

# structlog imports Rich for its console output when there is one: 5 MB that no service needs.
sys.modules.setdefault("rich", cast("ModuleType", None))
import structlog  # noqa: E402
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger  # noqa: E402

if sys.modules["rich"] is None:
    del sys.modules["rich"]

Logger = FilteringBoundLogger

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The platform's id of the request being served; set at the entry, on every line until then."""
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
"""Hex id of the trace, set by ``core/tracing.py`` for sampled requests only."""

_LEVELS = {"debug": stdlib.DEBUG, "info": stdlib.INFO, "warning": stdlib.WARNING, "error": stdlib.ERROR}
# These say at INFO what this platform says better itself, once a request.
_QUIET = ("aiohttp.access", "alembic.runtime.plugins", "aiosqlite", "asyncio", "hpack", "urllib3")


def get_logger(name: str) -> Logger:
    """A logger named after what it speaks for, e.g. ``head`` or ``relay.client``."""
    return cast("Logger", structlog.get_logger(logger_name=name))


def configure(config: Config) -> None:
    """Directs all logging of the process as ``config.logging`` says. A later call takes over."""
    level = _LEVELS[config.logging.level]
    _output.open(_target(config))
    render = Renderer(
        service=config.service.name,
        replica=config.service.replica,
        text=config.logging.format == "text",
        include_request_id=config.logging.include_request_id,
    )
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _output,
        cache_logger_on_first_use=True,
    )
    root = stdlib.getLogger()
    root.handlers[:] = [_StdlibHandler(render)]
    root.setLevel(level)
    for name in _QUIET:
        stdlib.getLogger(name).setLevel(max(level, stdlib.WARNING))
    stdlib.captureWarnings(True)


def reopen() -> None:
    """Opens the log file again after it was rotated (SIGHUP)."""
    _output.reopen()


def _target(config: Config) -> Path | IO[bytes]:
    match config.logging.output:
        case "stdout":
            return sys.stdout.buffer
        case "stderr":
            return sys.stderr.buffer
        case "file":
            return config.service.data_dir / f"{config.service.replica}.log"
        case path:
            return Path(path)


_output = LogOutput()
atexit.register(_output.flush)


def lines_lost() -> int:
    """Lines that could not be written since the start."""
    return _output.lost


class Renderer:
    """The processor: an event becomes a line of bytes. ``at`` is its Unix time, when that is not now."""

    def __init__(self, service: str, replica: str, *, text: bool = False, include_request_id: bool = True) -> None:
        self._service = service
        self._replica = replica
        self._include_request_id = include_request_id
        self._timestamp = Timestamps()
        self._redactor = EventRedactor()
        self._encode = msgspec.json.Encoder(enc_hook=_show, decimal_format="number").encode
        self._layout = self._text if text else self._json

    def __call__(self, _logger: WrappedLogger, level: str, event: EventDict) -> bytes:
        line: dict[str, Any] = {
            "timestamp": self._timestamp(event.pop("at", None) or time.time()),
            "level": level,
            "logger": event.pop("logger_name", ""),
            "event": event.pop("event", ""),
            "service": self._service,
            "replica": self._replica,
        }
        if self._include_request_id and (current := request_id.get()):
            line["request_id"] = current
        if current := trace_id.get():
            line["trace_id"] = current
        if "exc_info" in event and (exception := _traceback(event.pop("exc_info"))):
            line["exception"] = exception
        line.update(event)
        plain = self._redactor.clean(line)
        rendered = self._layout(line)
        return rendered if plain else redact(rendered.decode()).encode()

    def _json(self, line: dict[str, Any]) -> bytes:
        try:
            return self._encode(line) + b"\n"
        except (TypeError, ValueError, RecursionError):
            # A field that cannot be encoded (a lone surrogate, an odd key) must not lose the line.
            return self._encode({key: ascii(value) for key, value in line.items()}) + b"\n"

    def _text(self, line: dict[str, Any]) -> bytes:
        timestamp, level, logger, event = (line.pop(key) for key in ("timestamp", "level", "logger", "event"))
        exception = line.pop("exception", "")
        del line["service"], line["replica"]
        fields = " ".join(f"{key}={self._inline(value)}" for key, value in line.items())
        text = f"{timestamp} {level.upper():7} {logger}: {event} {fields}".rstrip() + "\n"
        return (text + (f"{exception}\n" if exception else "")).encode("utf-8", "backslashreplace")

    def _inline(self, value: Any) -> str:
        if isinstance(value, str) and value and not any(c.isspace() for c in value):
            return value
        return self._json({"": value})[4:-2].decode()


def _show(value: Any) -> str:
    """What JSON has no form for. Messages of the ports may hold secrets: they are named, not shown."""
    if isinstance(value, Secret):
        return REDACTED
    descriptor = getattr(value, "DESCRIPTOR", None)
    if descriptor is not None:
        return f"<{descriptor.full_name}>"
    return str(value)


def _traceback(exc_info: Any) -> str:
    if exc_info is True:
        exc_info = sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if not isinstance(exc_info, BaseException):
        return ""
    return "".join(traceback.format_exception(exc_info)).rstrip()


class _StdlibHandler(stdlib.Handler):
    """Sends the records of the standard library's loggers through the same renderer."""

    def __init__(self, render: Renderer) -> None:
        super().__init__()
        self._render = render

    def emit(self, record: stdlib.LogRecord) -> None:
        event: EventDict = {"logger_name": record.name, "event": _message(record)}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        _output.write(self._render(None, record.levelname.lower(), event))


def _message(record: stdlib.LogRecord) -> str:
    with contextlib.suppress(TypeError, ValueError):
        return record.getMessage()
    return str(record.msg)
