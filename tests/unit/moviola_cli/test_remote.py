"""The commands that talk to a server, run as their user runs them, against a small server of our own."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

MOVIOLA = Path(sys.executable).parent / "moviola"
CONTENT = b"a film" * 10_000
FILE = {
    "name": "result.mp4",
    "size": len(CONTENT),
    "sha256": hashlib.sha256(CONTENT).hexdigest(),
    "content_type": "video/mp4",
}


@dataclass(slots=True)
class Server:
    """One video that goes through *states*, one with each event that a watcher is sent."""

    url: str = ""
    states: list[tuple[str, str, float]] = field(default_factory=lambda: [("ready", "ready", 1.0)])
    authorization: set[str | None] = field(default_factory=set)
    recipes: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    package: tuple[str, ...] = ()
    canceled: list[str] = field(default_factory=list)
    asked: list[object] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def video(self) -> dict[str, object]:
        status, state, progress = self.states[0]
        steps = [
            {"step": name, "state": "running", "pass": "render", "progress": progress, "attempts": 1}
            for name in ("trim", "resize")
        ]
        return {
            "id": "v1",
            "status": status,
            "state": state,
            "title": "A film",
            "progress": progress,
            "steps": steps,
            "files": [FILE, *({**FILE, "name": name} for name in self.package)] if status == "ready" else [],
            "failure": {"code": "media.corrupt", "step": "render", "message": "It is broken."}
            if status == "failed"
            else None,
            "last_run": self.run(self.runs[0]) if self.runs else None,
            "created_at": "2026-01-02T03:04:05Z",
        }

    def run(self, state: str) -> dict[str, object]:
        failure = {"code": "worker.crashed", "step": "render", "message": "It broke."} if state == "failed" else None
        return {"id": "r2", "number": 2, "state": state, "failure": failure, "serving": state == "ready"}

    async def again(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json() if request.can_read_body else None)
        retry = request.path.endswith("/retry")
        return web.json_response(self.video() if retry else self.run("uploaded"), status=202)

    async def list_runs(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [self.run("failed"), {"id": "r1", "number": 1, "state": "ready"}]})

    async def show(self, request: web.Request) -> web.Response:
        self.authorization.add(request.headers.get("Authorization"))
        if request.match_info["id"] != "v1":
            problem = {"title": "Not Found", "detail": "There is no such video.", "code": "video.not_found"}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        return web.json_response(self.video())

    async def list(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [self.video()], "next_cursor": None})

    async def take(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.recipes.append(str(form.get("recipe")))
        self.parts = list(form)
        return web.json_response(self.video(), status=202)

    async def cancel(self, request: web.Request) -> web.Response:
        self.canceled.append(request.match_info["id"])
        return web.json_response(self.video())

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while len(self.states) > 1:
            self.states.pop(0)
            self.runs[:1] = self.runs[:1] if len(self.runs) == 1 else []
            await response.write(b"event: state\ndata: {}\n\n")
            # Each is seen before the next one happens.
            await asyncio.sleep(0.05)
        return response

    async def file(self, request: web.Request) -> web.Response:
        return web.Response(body=CONTENT)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    fake = Server()
    application = web.Application(client_max_size=2**30)
    application.router.add_get("/v1/videos", fake.list)
    application.router.add_post("/v1/videos", fake.take)
    application.router.add_get("/v1/videos/{id}", fake.show)
    application.router.add_post("/v1/videos/{id}/cancel", fake.cancel)
    application.router.add_post("/v1/videos/{id}/retry", fake.again)
    application.router.add_post("/v1/videos/{id}/runs", fake.again)
    application.router.add_get("/v1/videos/{id}/runs", fake.list_runs)
    application.router.add_get("/v1/videos/{id}/events", fake.events)
    application.router.add_get("/v1/videos/{id}/files/{name:.+}", fake.file)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


async def moviola(server: Server, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of one command."""
    process = await asyncio.create_subprocess_exec(
        MOVIOLA,
        *arguments,
        cwd=folder,
        env={**os.environ, "MOVIOLA_URL": server.url, "MOVIOLA_API_KEY": "secret"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_list_in_a_pipe_is_one_line_a_video(server: Server, tmp_path: Path) -> None:
    assert await moviola(server, tmp_path, "list") == (0, "v1\tready\t100%\t2026-01-02 03:04:05\tA film\n", "")


async def test_show_tells_the_files_and_sends_the_key(server: Server, tmp_path: Path) -> None:
    status, out, err = await moviola(server, tmp_path, "show", "v1")

    assert (status, err) == (0, "")
    assert f"file      result.mp4 {len(CONTENT)} bytes sha256 {FILE['sha256']}" in out.splitlines()
    assert server.authorization == {"Bearer secret"}


async def test_show_as_json_is_json(server: Server, tmp_path: Path) -> None:
    status, out, _ = await moviola(server, tmp_path, "show", "v1", "--json")

    assert status == 0
    assert json.loads(out)["files"][0]["sha256"] == FILE["sha256"]


async def test_unknown_video_is_one_line_and_status_2(server: Server, tmp_path: Path) -> None:
    assert await moviola(server, tmp_path, "show", "v2") == (2, "", "moviola: There is no such video.\n")


async def test_submit_and_wait_shows_each_state_and_pass_in_plain_lines(server: Server, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(CONTENT)
    (tmp_path / "recipe.json").write_text('{"steps": [{"step": "mute"}]}')
    server.states = [("queued", "uploaded", 0.0), ("processing", "rendering", 0.5), ("ready", "ready", 1.0)]

    status, out, err = await moviola(server, tmp_path, "submit", "film.mp4", "--recipe", "recipe.json", "--wait")

    assert (status, out) == (0, "v1 ready A film\n")
    assert "upload film.mp4 100%" in err.splitlines()
    assert [line for line in err.splitlines() if line.startswith("A film: ")] == [
        "A film: uploaded",
        "A film: rendering",
        "A film: ready",
    ]
    assert "render (trim, resize) 50%" in err.splitlines()
    assert json.loads(server.recipes[0])["steps"] == [{"step": "mute"}]


async def test_watching_a_video_that_fails_is_status_1_with_its_code(server: Server, tmp_path: Path) -> None:
    server.states = [("processing", "rendering", 0.5), ("failed", "failed", 0.5)]

    status, out, err = await moviola(server, tmp_path, "watch", "v1")

    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "moviola: media.corrupt: It is broken."


async def test_cancel_asks_the_server(server: Server, tmp_path: Path) -> None:
    assert (await moviola(server, tmp_path, "cancel", "v1"))[0] == 0
    assert server.canceled == ["v1"]


async def test_reprocess_sends_the_recipe_and_waits_for_its_run_only(server: Server, tmp_path: Path) -> None:
    server.states = [("ready", "rendering", 0.5), ("ready", "ready", 1.0)]
    server.runs = ["rendering", "ready"]
    given = ("--recipe", "showcase", "--end", "3", "--priority", "5", "--wait")

    status, out, err = await moviola(server, tmp_path, "reprocess", "v1", *given)

    assert (status, out) == (0, "v1 ready A film\n")
    assert "A film: rendering" in err.splitlines()
    (asked,) = server.asked
    assert isinstance(asked, dict)
    assert (asked["priority"], asked["recipe"]["steps"][0]) == (5, {"step": "trim", "start": 0.0, "end": 3.0})


async def test_a_reprocessing_that_fails_is_status_1_though_the_video_stays_ready(
    server: Server, tmp_path: Path
) -> None:
    server.states = [("ready", "rendering", 0.5), ("ready", "ready", 1.0)]
    server.runs = ["rendering", "failed"]

    status, out, err = await moviola(server, tmp_path, "reprocess", "v1", "--wait")

    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "moviola: worker.crashed: It broke."


async def test_retry_asks_and_waits(server: Server, tmp_path: Path) -> None:
    server.states = [("queued", "uploaded", 0.0), ("ready", "ready", 1.0)]
    server.runs = ["uploaded", "ready"]

    status, out, _ = await moviola(server, tmp_path, "retry", "v1", "--wait")

    assert (status, out, server.asked) == (0, "v1 ready A film\n", [None])


async def test_runs_are_listed_with_why_they_failed(server: Server, tmp_path: Path) -> None:
    status, out, _ = await moviola(server, tmp_path, "runs", "v1")

    assert (status, out) == (0, "2\tr2\tfailed worker.crashed: It broke.\n1\tr1\tready\n")


async def test_download_is_verified_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    status, out, _ = await moviola(server, tmp_path, "download", "v1", "-o", "film.mp4")

    assert (status, out) == (0, f"film.mp4: {len(CONTENT)} bytes, sha256 {FILE['sha256']}\n")
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["film.mp4"]


async def test_a_file_that_is_not_there_is_told_with_those_that_are(server: Server, tmp_path: Path) -> None:
    status, _, err = await moviola(server, tmp_path, "download", "v1", "poster.jpg")

    assert (status, err) == (2, "moviola: The video has no file poster.jpg; there is result.mp4.\n")


async def test_captions_go_along_with_the_recipe_that_names_them(server: Server, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(CONTENT)
    (tmp_path / "subs.srt").write_text("1")
    (tmp_path / "recipe.json").write_text('{"steps": [{"step": "package", "heights": [480]}]}')

    flags = ["--recipe", "recipe.json", "--captions", "es=subs.srt"]
    status, _, _ = await moviola(server, tmp_path, "submit", "film.mp4", *flags)

    assert status == 0
    (step,) = json.loads(server.recipes[0])["steps"]
    assert (step["heights"], step["captions"]) == ([480], [{"language": "es", "file": "captions-es"}])
    assert server.parts == ["recipe", "captions-es", "file"]


async def test_a_package_is_downloaded_as_a_tree_and_never_beside_it(server: Server, tmp_path: Path) -> None:
    server.package = ("hls/master.m3u8", "hls/720p.mp4", "hls/../../evil.mp4")

    status, out, _ = await moviola(server, tmp_path, "download", "v1", "hls", "-o", "tree")

    assert status == 0
    assert out == f"tree: 2 files, {2 * len(CONTENT)} bytes\n"
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["tree"]
    assert set(await asyncio.to_thread(os.listdir, tmp_path / "tree")) == {"master.m3u8", "720p.mp4"}
    status, _, err = await moviola(server, tmp_path, "download", "v1", "hls", "-o", "tree")
    assert (status, err) == (2, "moviola: tree exists; --force replaces what is in it, -o names another.\n")
