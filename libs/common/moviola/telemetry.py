"""Logs as a sentence and fields: JSON in services, readable on a terminal; the video's id on every line about it."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog

from moviola.settings import Settings


def configure_logging(settings: Settings, service: str, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process, to *stream* (standard error).

    ``log_format`` ``auto`` means readable lines on a terminal, one JSON object a line elsewhere.
    """
    out = stream or sys.stderr
    readable = settings.log_format == "console" or (settings.log_format == "auto" and out.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Not cached: a logger that was used before, by another command in this process, would keep that one's level.
        cache_logger_on_first_use=False,
    )
    renderer: list[structlog.types.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if readable
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiormq", "aio_pika", "botocore", "aiobotocore", "aiohttp.access", "alembic", "transitions"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service)


@contextmanager
def about(video_id: str | None, **fields: object) -> Iterator[None]:
    """Put the video's id, which correlates all services' logs, and *fields* on every line logged inside."""
    if video_id is not None:
        fields["video"] = video_id
    with structlog.contextvars.bound_contextvars(**fields):
        yield
