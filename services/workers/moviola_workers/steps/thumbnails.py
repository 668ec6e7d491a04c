"""The step ``thumbnails``: a poster, a storyboard or a preview."""

from collections.abc import Mapping
from pathlib import Path

from moviola.plan import POSTER, PREVIEW, Poster, Preview, Storyboard
from moviola_workers.engine.poster import make_poster
from moviola_workers.engine.preview import make_preview
from moviola_workers.engine.storyboard import make_storyboard
from moviola_workers.job import Job, JobResult, MadeFile, Report

CONTENT_TYPES = {".jpg": "image/jpeg", ".vtt": "text/vtt", ".webp": "image/webp"}


def thumbnails(job: Job, report: Report) -> JobResult:
    """Make ``poster.jpg``, or ``storyboard.vtt`` and its sprites, or ``preview.webp``."""
    made = _made(job, report)
    return JobResult(
        made=tuple(
            MadeFile(name=name, path=path, content_type=CONTENT_TYPES[path.suffix]) for name, path in made.items()
        )
    )


def _made(job: Job, report: Report) -> Mapping[str, Path]:
    match job.parameters:
        case Poster() as poster:
            make_poster(job, poster, job.scratch / POSTER, report)
            return {POSTER: job.scratch / POSTER}
        case Storyboard() as board:
            return make_storyboard(job, board, report)
        case Preview() as preview:
            make_preview(job, preview, job.scratch / PREVIEW, report)
            return {PREVIEW: job.scratch / PREVIEW}
        case other:
            raise TypeError(f"Thumbnails need the parameters of stills, not of {other.task!r}.")
