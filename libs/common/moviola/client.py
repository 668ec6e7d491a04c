"""A Python client of Moviola's HTTP API: `async with connect("http://127.0.0.1:8080") as client: …`.

ServerUnreachable   nothing answers at the address, or it stopped answering; retry later
ServerFailed        the server answered that it can't now (5xx); retry later
RequestRefused      the server said no, with a stable ``code``; the same request will be refused again
DownloadDamaged     what arrived is not what the server has
"""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from http import HTTPStatus
from json import loads
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from pydantic import BaseModel, JsonValue, ValidationError

from moviola.documents import (
    DiscardedDocument,
    EntryDocument,
    ExplanationDocument,
    FileDocument,
    HistoryPage,
    LetterDocument,
    LetterPage,
    Problem,
    RedrivenPage,
    RunDocument,
    RunList,
    VideoDocument,
    VideoPage,
)
from moviola.errors import InvalidInput, MoviolaError, Refused, Unavailable
from moviola.event_stream import EventStreamReader, ServerSentEvent
from moviola.video import new_id

DEFAULT_URL = "http://127.0.0.1:8080"
Progress = Callable[[int], None]
"""Called with the number of bytes moved since the last call, perhaps from another thread."""

_CHUNK = 256 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
# The server answers an upload only when all of it is stored.
_UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=600)
# Between tries in a row that brought nothing; after the last one we give up.
_PAUSES = (0.5, 1.0, 2.0, 4.0)
Model = TypeVar("Model", bound=BaseModel)


class ServerUnreachable(Unavailable):
    """Nothing answers at ``url``; or, where ``connected``, it stopped answering."""

    def __init__(self, url: str, reason: str, *, connected: bool = False) -> None:
        super().__init__(f"The server at {url} can't be reached: {reason}")
        self.url = url
        self.reason = reason
        self.connected = connected


class ServerFailed(Unavailable):
    """The server answered with a 5xx."""


class RequestRefused(Refused):
    """The server refused the request with ``status`` and a stable ``code``."""

    def __init__(self, status: int, problem: Problem) -> None:
        where = "".join(f" ({one.pointer}: {one.detail})" for one in problem.errors)
        super().__init__(f"{problem.detail or problem.title or f'HTTP status {status}'}{where}", code=problem.code)
        self.status = status


class DownloadDamaged(MoviolaError):
    """The bytes that arrived have another SHA-256 than the server's; they were thrown away."""


class Client:
    """One server. Made by ``connect``. Every method may raise what the module's docstring lists."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def submit(
        self,
        path: Path,
        *,
        recipe: str | None = None,
        title: str | None = None,
        tags: tuple[str, ...] = (),
        priority: int | None = None,
        watermark: Path | None = None,
        captions: Mapping[str, Path] | None = None,
        progress: Progress | None = None,
    ) -> VideoDocument:
        """Upload *path*; *recipe* is a recipe's JSON or a stored one's name, and left out the server's default.

        *captions* are files by the name that the recipe has for them.

        A connection lost on the way is tried again under the same ``Idempotency-Key``, so that one video comes of it.
        """
        given = [("recipe", recipe), ("title", title), *(("tags", tag) for tag in tags)]
        fields = [(name, value) for name, value in given if value is not None]
        if priority is not None:
            fields.append(("priority", str(priority)))
        key = new_id()
        for pause in (*_PAUSES, None):
            with ExitStack() as files:
                parts = {"watermark": watermark, **(captions or {}), "file": path}
                form = _form(fields, parts, files, progress or _ignore)
                try:
                    return await self._send("POST", "v1/videos", VideoDocument, data=form, idempotency_key=key)
                except ServerUnreachable as error:
                    if pause is None or not error.connected:
                        raise
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def get(self, video_id: str) -> VideoDocument:
        return await self._send("GET", f"v1/videos/{video_id}", VideoDocument)

    async def videos(self, *, limit: int, **wanted: str | None) -> AsyncIterator[VideoDocument]:
        """At most *limit* videos, the newest first; *wanted* are the list's filters: ``status``, ``tag``, ``q``."""
        query = {name: value for name, value in wanted.items() if value is not None}
        while limit > 0:
            page = await self._send("GET", "v1/videos", VideoPage, params={**query, "limit": str(min(limit, 100))})
            for video in page.data[:limit]:
                yield video
            limit -= len(page.data)
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    async def cancel(self, video_id: str) -> VideoDocument:
        """Ask for the end of what runs; the answer may still say ``processing``."""
        return await self._send("POST", f"v1/videos/{video_id}/cancel", VideoDocument)

    async def explain(self, video_id: str) -> ExplanationDocument:
        """Why the video is where it is now."""
        return await self._send("GET", f"v1/videos/{video_id}/explain", ExplanationDocument)

    async def history(
        self, video_id: str, *, run: str | None = None, at: str | None = None
    ) -> AsyncIterator[EntryDocument]:
        """Every transition in order; of one *run*, and until *at* (RFC 3339), where given."""
        query = {name: value for name, value in (("run", run), ("at", at)) if value is not None}
        while True:
            page = await self._send("GET", f"v1/videos/{video_id}/history", HistoryPage, params=query)
            for entry in page.data:
                yield entry
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    async def dead_letters(self, *, limit: int, **wanted: str | None) -> AsyncIterator[LetterDocument]:
        """At most *limit*, the newest first; *wanted*: ``queue``, ``type``, ``reason``, ``redriven``."""
        query = {name: value for name, value in wanted.items() if value is not None}
        while limit > 0:
            page = await self._send(
                "GET", "v1/dead-letters", LetterPage, params={**query, "limit": str(min(limit, 200))}
            )
            for letter in page.data[:limit]:
                yield letter
            limit -= len(page.data)
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    async def dead_letter(self, letter_id: str) -> LetterDocument:
        """With its headers and its body."""
        return await self._send("GET", f"v1/dead-letters/{letter_id}", LetterDocument)

    async def redrive(self, *, dry_run: bool = False, **chosen: JsonValue) -> RedrivenPage:
        """Send dead letters again: *chosen* are ``ids``, or ``all`` with ``queue``, ``type`` and ``reason``."""
        body = {"dry_run": dry_run, **chosen}
        return await self._send("POST", "v1/dead-letters/redrive", RedrivenPage, json=body)

    async def discard(self, **chosen: JsonValue) -> DiscardedDocument:
        """Throw dead letters away, chosen as for ``redrive``."""
        return await self._send("POST", "v1/dead-letters/discard", DiscardedDocument, json=chosen)

    async def retry(self, video_id: str) -> VideoDocument:
        """Have done what the last run, which failed or was canceled, has not done; ``last_run`` is the new one."""
        return await self._send("POST", f"v1/videos/{video_id}/retry", VideoDocument, idempotency_key=new_id())

    async def reprocess(self, video_id: str, *, recipe: str | None = None, priority: int | None = None) -> RunDocument:
        """Have the video processed anew; *recipe* is a recipe's JSON or a name; left out, the video's own."""
        body: dict[str, JsonValue] = {} if priority is None else {"priority": priority}
        if recipe is not None:
            body["recipe"] = loads(recipe) if _is_json(recipe) else recipe
        return await self._send("POST", f"v1/videos/{video_id}/runs", RunDocument, json=body, idempotency_key=new_id())

    async def runs(self, video_id: str) -> Sequence[RunDocument]:
        """All runs of the video, the newest first."""
        return (await self._send("GET", f"v1/videos/{video_id}/runs", RunList)).data

    async def watch(self, video_id: str, *, run_id: str | None = None) -> AsyncIterator[VideoDocument]:
        """The video now and after every event about it, until it has ended; or that run of it has.

        A lost connection is mended from the last event on; five tries in a row that bring nothing are one error.
        """
        video = await self.get(video_id)
        yield video
        reader, tries = EventStreamReader(), _Tries()
        while not video.over(run_id):
            try:
                async with self._events(video_id, reader) as events:
                    while True:
                        # The first time for what happened before the stream was open.
                        video = await self.get(video_id)
                        yield video
                        if video.over(run_id):
                            return
                        tries.brought_something()
                        await anext(events)
            except (ServerUnreachable, ServerFailed) as error:
                await tries.pause_or_raise(error)

    async def download(
        self, video_id: str, file: FileDocument, path: Path, *, progress: Progress | None = None
    ) -> None:
        """Make *path* the file, whole and with its SHA-256 verified, or leave *path* as it is.

        What was left by an interrupted download of the same file is used; a lost connection is resumed. *progress* is
        told of bytes that were there already, too.
        """
        part = path.with_name(f".{path.name}.{file.sha256[:16]}.part")
        have, tries = 0, _Tries()
        while True:
            try:
                await self._fetch_rest(video_id, file, part, have, progress or _ignore)
                break
            except (ServerUnreachable, ServerFailed) as error:
                before, have = have, _size(part)
                if have > before:
                    tries.brought_something()
                await tries.pause_or_raise(error)
        if await asyncio.to_thread(_sha256, part) != file.sha256:
            part.unlink()
            raise DownloadDamaged(f"{file.name} arrived damaged: its SHA-256 is not the server's. Try again.")
        part.replace(path)

    async def check(self) -> None:
        """Return where the server says that it is ready; ``ServerFailed`` where it says that it isn't."""
        async with self._answer("GET", "readyz", headers={}):
            pass

    @asynccontextmanager
    async def _events(self, video_id: str, reader: EventStreamReader) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": reader.last_id} if reader.last_id else {})}
        async with self._answer("GET", f"v1/videos/{video_id}/events", headers=headers) as response:
            yield self._read_events(response, reader)

    async def _read_events(
        self, response: aiohttp.ClientResponse, reader: EventStreamReader
    ) -> AsyncIterator[ServerSentEvent]:
        async for chunk in response.content.iter_any():
            for event in reader.feed(chunk):
                yield event
        raise ServerUnreachable(self.url, "the stream of events ended", connected=True)

    async def _fetch_rest(self, video_id: str, file: FileDocument, part: Path, told: int, progress: Progress) -> None:
        """Fetch what *part* lacks; *told* is how many bytes *progress* already knows of."""
        start = _size(part)
        if start >= file.size > 0:
            progress(start - told)
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        async with self._answer("GET", f"v1/videos/{video_id}/files/{file.name}", headers=headers) as response:
            # A server that ignores the range sends everything: then the part starts anew.
            resumed = response.status == HTTPStatus.PARTIAL_CONTENT
            progress(start - told if resumed else -told)
            with part.open("ab" if resumed else "wb") as out:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    await asyncio.to_thread(out.write, chunk)
                    progress(len(chunk))

    async def _send(
        self,
        method: str,
        path: str,
        model: type[Model],
        *,
        data: aiohttp.MultipartWriter | None = None,
        json: Mapping[str, JsonValue] | None = None,
        params: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Model:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        timeout = _TIMEOUT if data is None else _UPLOAD_TIMEOUT
        async with self._answer(
            method, path, data=data, json=json, params=params, headers=headers, timeout=timeout
        ) as response:
            body = await response.read()
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise ServerFailed(f"What answers at {self.url} does not speak like Moviola; check the address.") from error

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        data: aiohttp.MultipartWriter | None = None,
        json: Mapping[str, JsonValue] | None = None,
        params: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer; aiohttp's errors and the server's problem documents leave as ours."""
        try:
            async with self._session.request(
                method, path, headers=headers, data=data, json=json, params=params, timeout=timeout
            ) as response:
                await _raise_for_problem(response, self.url)
                yield response
        except aiohttp.ClientConnectorError as error:
            raise ServerUnreachable(self.url, error.strerror or str(error)) from error
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            reason = str(error) or "it does not answer in time"
            raise ServerUnreachable(self.url, reason, connected=True) from error


@asynccontextmanager
async def connect(url: str, *, api_key: str | None = None) -> AsyncIterator[Client]:
    """A client of the server at *url*; nothing is sent yet. ``InvalidInput`` where that is no HTTP address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{url!r} is not the address of a server; one looks like {DEFAULT_URL}.")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    async with aiohttp.ClientSession(url.rstrip("/") + "/", headers=headers, timeout=_TIMEOUT) as session:
        yield Client(session, url.rstrip("/"))


class _Tries:
    """Counts the tries in a row that brought nothing."""

    def __init__(self) -> None:
        self._pauses = iter(_PAUSES)

    def brought_something(self) -> None:
        self._pauses = iter(_PAUSES)

    async def pause_or_raise(self, error: MoviolaError) -> None:
        """Wait before the next try; where there is none left, raise *error*."""
        pause = next(self._pauses, None)
        if pause is None:
            raise error
        await asyncio.sleep(pause)


class _CountedFile(io.BufferedReader):
    """A file whose reader tells how far it has got. aiohttp learns its size, and sends a Content-Length."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path.open("rb", buffering=0))
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        self._progress(len(chunk))
        return chunk


def _form(
    fields: Sequence[tuple[str, str]], paths: Mapping[str, Path | None], files: ExitStack, progress: Progress
) -> aiohttp.MultipartWriter:
    """A multipart form, its small fields first; *files* closes what it opens, *progress* counts the last file."""
    form = aiohttp.MultipartWriter("form-data")
    for name, value in fields:
        form.append(value).set_content_disposition("form-data", name=name)
    for name, path in paths.items():
        if path is not None:
            content = files.enter_context(_CountedFile(path, progress if name == "file" else _ignore))
            part = form.append(content, CIMultiDict({"Content-Type": "application/octet-stream"}))
            part.set_content_disposition("form-data", name=name, filename=path.name)
    return form


async def _raise_for_problem(response: aiohttp.ClientResponse, url: str) -> None:
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    try:
        problem = Problem.model_validate_json(await response.read())
    except ValidationError:
        # A proxy in between does not speak in problem documents.
        problem = Problem(title=f"The server at {url} answered {response.status} {response.reason}.")
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ServerFailed(f"The server at {url} can't do it now: {problem.detail or problem.title}")
    raise RequestRefused(response.status, problem)


def _is_json(recipe: str) -> bool:
    return recipe.lstrip().startswith("{") or recipe.strip() == "null"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ignore(count: int) -> None:
    """For those who don't want to know how far it is."""
