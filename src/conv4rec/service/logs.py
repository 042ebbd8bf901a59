"""Logs as JSON, a line each. They hold routes, statuses, times and names of keys; no user, no item, no history."""

import json
import logging
import sys
import time
import traceback
from pathlib import Path


class JsonLines(logging.Formatter):
    """A record as one JSON object: `time`, `level`, `event`, and the record's `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line. Of an exception it has the kind and the place, not the text, which may name somebody."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {"time": f"{seconds}.{record.msecs:03.0f}Z", "level": record.levelname.lower(), "event": record.msg}
        if record.name != "conv4rec.service":
            told |= {"event": "server", "reason": record.getMessage()}
        told |= getattr(record, "fields", {})
        if record.exc_info is not None and record.exc_info[1] is not None:
            told |= describe(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False)


def describe(error: BaseException) -> dict[str, object]:
    """The kind of an exception and the last places it came through."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return {"error": type(error).__name__, "at": [f"{Path(f.filename).name}:{f.lineno}" for f in frames]}


def log_as_json() -> None:
    """Let the loggers of the service and of its server write to standard error; for a process that is the service."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("conv4rec.service", logging.INFO), ("uvicorn", logging.WARNING), ("alembic", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
