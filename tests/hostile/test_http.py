"""The API against requests that lie, are cut off, or ask for nonsense: a problem document, and nothing stays.

Most of what one module refuses is tested beside it; here is what goes through the whole of the API over a socket.
"""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from moviola.settings import Settings
from tests.unit.moviola_api.conftest import CLIP, Api, Document

STEPS: dict[str, tuple[str, str]] = {
    "start after end": ('{"step": "trim", "start": 5, "end": 2}', "/steps/0"),
    "start at end": ('{"step": "trim", "start": 5, "end": 5}', "/steps/0"),
    "negative": ('{"step": "trim", "start": -1, "end": 2}', "/steps/0/start"),
    "not a number": ('{"step": "trim", "start": NaN, "end": 2}', "/steps/0/start"),
    "infinite": ('{"step": "trim", "start": 0, "end": Infinity}', "/steps/0/end"),
    "too large to be finite": ('{"step": "trim", "start": 0, "end": 1e309}', "/steps/0/end"),
    "a string for a number": ('{"step": "trim", "start": "5", "end": 7}', "/steps/0/start"),
    "true for a number": ('{"step": "resize", "height": true}', "/steps/0/height"),
    "a fraction of a pixel": ('{"step": "resize", "height": 1.5}', "/steps/0/height"),
    "an absurd side": ('{"step": "resize", "height": 100000000}', "/steps/0/height"),
    "an unknown field": ('{"step": "mute", "volume": 0}', "/steps/0/volume"),
    "an unknown step": ('{"step": "rm -rf"}', "/steps/0"),
    "no step": ("{}", "/steps/0"),
    "a filter for a colour": ('{"step": "watermark", "text": "x", "color": "red,movie=/etc/passwd"}', "/steps/0/color"),
    "a path for an image": ('{"step": "watermark", "image": "/etc/passwd"}', "/steps/0/image"),
    "a path for a font": ('{"step": "watermark", "text": "x", "font": "../../font"}', "/steps/0/font"),
    "nested ten thousand deep": ("[" * 10_000, ""),
    "nested objects": ('{"a":' * 10_000, ""),
    "a name twice": ('{"step": "mute", "step": "trim"}', ""),
    "broken text": ('{"step": "mute"', ""),
}


async def _nothing_stayed(api: Api, place: Path) -> None:
    assert (await api.get("/v1/videos"))["data"] == []
    assert await api.keys() == []
    assert [path for path in (place / "objects").rglob("*") if path.is_file()] == []


def _problem(status: int, problem: Document) -> None:
    assert 400 <= status < 500
    assert problem["status"] == status
    assert problem["code"]
    assert problem["detail"]


async def test_a_wish_that_makes_no_sense_is_refused_with_a_pointer_to_it(api: Api, settings: Settings) -> None:
    for wish in STEPS:
        await _refused_wish(api, *STEPS[wish])
    await _nothing_stayed(api, settings.data_dir)


async def _refused_wish(api: Api, step: str, pointer: str) -> None:
    recipe = '{"version": 1, "steps": [' + step + "]}"
    form = aiohttp.FormData()
    form.add_field("recipe", recipe)
    form.add_field("file", CLIP, filename="clip.mp4")

    async with api.http.post("/v1/videos", data=form) as answer:
        problem = await answer.json(content_type=None)

    _problem(answer.status, problem)
    assert answer.status == 422
    assert problem["errors"][0]["pointer"].startswith("/recipe" + pointer), problem


async def test_a_plan_for_such_a_wish_is_refused_as_well(api: Api) -> None:
    video = await api.upload(recipe="null")
    for wish in STEPS:
        await _refused_plan(api, video, *STEPS[wish])


async def _refused_plan(api: Api, video: Document, step: str, pointer: str) -> None:
    body = '{"recipe": {"version": 1, "steps": [' + step + "]}}"

    headers = {"Content-Type": "application/json"}
    async with api.http.post(f"/v1/videos/{video['id']}/plan", data=body, headers=headers) as answer:
        problem = await answer.json(content_type=None)

    _problem(answer.status, problem)
    # What only a stored image could tell is not asked before the file was looked at.
    assert answer.status in ((400, 422) if "/image" not in pointer else (409, 422)), (step, problem)
    if pointer and answer.status == 422:
        assert problem["errors"][0]["pointer"].startswith("/recipe" + pointer), problem


QUERIES = (
    "limit=0", "limit=-1", "limit=NaN", "limit=1e309", "limit=%00", "limit=99999999999999999999", "cursor=%00%ff",
    "cursor=" + "a" * 3000, "status=nonsense", "status=%F0%9F%8E%AC",
)  # fmt: skip
PATHS = (
    "/v1/videos/..%2f..%2fetc%2fpasswd", "/v1/videos/%00", "/v1/videos/" + "a" * 4000, "/v1/videos/%ff%fe",
    "/static/..%2f..%2fpyproject.toml", "/static/%2e%2e/%2e%2e/pyproject.toml", "/v1/watermarks/%2e%2e%2f/image",
    "/v1/videos/0192f0c1-2345-7000-8000-000000000000/files/..%2f..%2f..%2fmoviola.db",
)  # fmt: skip


async def test_a_query_or_an_address_that_makes_no_sense_is_refused(api: Api) -> None:
    for query in QUERIES:
        async with api.http.get(URL(f"{api.url}/v1/videos?{query}", encoded=True)) as answer:
            problem = await answer.json(content_type=None)
        assert answer.status in (400, 422), query
        _problem(answer.status, problem)
    for path in PATHS:
        async with api.http.get(URL(api.url + path, encoded=True)) as answer:
            problem = await answer.json(content_type=None)
        assert answer.status in (404, 422), path
        _problem(answer.status, problem)


NAMES = {
    "../../../etc/passwd": "passwd",
    "..\\..\\windows\\system.ini": None,  # a backslash in quotes marks the next character, as RFC 9110 has it
    "a\x00b.mp4": "ab.mp4",
    "a\r\nSet-Cookie: stolen=1\r\n.mp4": None,
    "\u202e4pm.exe": "4pm.exe",
    "x" * 300 + ".mp4": "x" * 255,
    "🎬 año €.mp4": "🎬 año €.mp4",
    "a; drop table videos; --.mp4": "a; drop table videos; --.mp4",
    "<script>alert(1)</script>.mp4": "script>.mp4",
    "CON.mp4": "CON.mp4",
    "-rf.mp4": "-rf.mp4",
    "%2e%2e%2fclip.mp4": None,
}


# aiohttp warns of a name with several semicolons, which we then read ourselves.
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
async def test_a_file_name_is_for_showing_only(api: Api) -> None:
    """It comes back tamed, breaks out of no header, and no file or key is called by it."""
    known: set[str] = set()
    for name in NAMES:
        await _named(api, name)
        keys = set(await api.keys())
        assert len(keys - known) <= 1
        known = keys
    assert all(key.startswith("originals/default/") and key.endswith("/original") for key in known)


async def _named(api: Api, name: str) -> None:
    # Named in the form of RFC 7578 as browsers do: raw, with quotes and line ends percent-encoded.
    sent = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{sent}"\r\n\r\n'
    body = head.encode() + CLIP + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    async with api.http.post("/v1/videos", data=body, headers=headers) as answer:
        video = await answer.json(content_type=None)
    if answer.status != 202:
        # A NUL in a header is for the parser to refuse.
        assert "\x00" in name
        _problem(answer.status, video)
        return

    shown = video["original"]["filename"]
    assert not set(shown) & set("\r\n\x00/\\\u202e")
    assert len(shown) <= 255
    assert NAMES[name] in (None, shown)
    assert f"originals/default/{video['id']}/original" in await api.keys()
    async with api.http.get(f"/v1/videos/{video['id']}/files/original") as answer:
        assert await answer.read() == CLIP
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content_disposition is not None
        assert answer.content_disposition.filename in (shown, "".join(c if " " <= c <= "~" else "_" for c in shown))


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' + CLIP
WHOLE = PART + b"\r\n--b--\r\n"
FORM = b"multipart/form-data; boundary=b"


def _post(*headers: bytes, body: bytes, kind: bytes = FORM) -> bytes:
    lines = (b"POST /v1/videos HTTP/1.1", b"Host: 127.0.0.1", b"Content-Type: " + kind, *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


CHUNKED = b"Transfer-Encoding: chunked"
LIES = {
    "more declared than sent": _post(b"Content-Length: %d" % (len(WHOLE) + 1000), body=WHOLE),
    "more declared than sent, form cut": _post(b"Content-Length: 900000", body=PART),
    "less declared than sent": _post(b"Content-Length: %d" % (len(WHOLE) // 2), body=WHOLE),
    "a negative length": _post(b"Content-Length: -5", body=WHOLE),
    "a length that is none": _post(b"Content-Length: many", body=WHOLE),
    "a length of plus": _post(b"Content-Length: +%d" % len(WHOLE), body=WHOLE),
    "two lengths": _post(b"Content-Length: 5", b"Content-Length: %d" % len(WHOLE), body=WHOLE),
    "a length and chunks": _post(b"Content-Length: 5", CHUNKED, body=_chunked(WHOLE)),
    "an absurd length": _post(b"Content-Length: 99999999999999999999999", body=PART),
    "larger than is allowed": _post(b"Content-Length: 99999999999", body=PART),
    "chunks that lie": _post(CHUNKED, body=b"5\r\n" + WHOLE),
    "chunks that are none": _post(CHUNKED, body=b"xyz\r\n" + WHOLE),
    "chunks that are negative": _post(CHUNKED, body=b"-5\r\n" + WHOLE),
    "chunks cut off": _post(CHUNKED, body=_chunked(PART, end=b"")),
    "chunks that end early": _post(CHUNKED, body=_chunked(PART)),
    "no length": _post(body=b""),
    "the wrong boundary": _post(b"Content-Length: %d" % len(WHOLE), body=WHOLE, kind=FORM + b"c"),
    "a boundary without end": _post(b"Content-Length: %d" % len(PART), body=PART),
    "a boundary of a line end": _post(b"Content-Length: 5", body=WHOLE, kind=b'multipart/form-data; boundary="\r\n"'),
    "a name that is not text": _post(
        b"Content-Length: %d" % (len(WHOLE) + 2), body=WHOLE.replace(b'"a.mp4"', b'"a\xff\xfe.mp4"')[:-9] + b"cut"
    ),
}


async def test_a_request_that_lies_about_itself_leaves_nothing(api: Api, settings: Settings) -> None:
    for lie, request in LIES.items():
        said = await _sent(api, request)
        if said:
            head, _, body = said.partition(b"\r\n\r\n")
            status = int(head.split()[1])
            assert 400 <= status < 500, (lie, said)
            if b"application/problem+json" in head:
                _problem(status, json.loads(body[: body.rindex(b"}") + 1]))
        await _nothing_stayed(api, settings.data_dir)
    # And the service goes on.
    assert (await api.upload())["status"] in ("queued", "processing")


async def _sent(api: Api, request: bytes) -> bytes:
    """What is answered to *request*, after which the client has nothing more to say."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_an_upload_of_a_wrong_size_in_a_hundred_ways_leaves_nothing(api: Api, settings: Settings) -> None:
    """The form is cut at every hundredth of its length, and the client goes away."""
    for share in range(0, 100, 3):
        cut = WHOLE[: len(WHOLE) * share // 100]
        await _sent(api, _post(b"Content-Length: %d" % len(WHOLE), body=cut))

    await _nothing_stayed(api, settings.data_dir)
