"""/v1/watermarks: images under a name, and recipes that call them by their id."""

import hashlib
import io
import json
from dataclasses import replace

import aiohttp
import pytest

from moviola.errors import StorageUnavailable
from moviola.video import DEFAULT_TENANT, RunState, Tenant, VideoId, new_id
from tests.unit.moviola_api.conftest import Api, Document
from tests.unit.moviola_api.samples import a_run

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 100
WEBP = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 100


def a_form(*parts: tuple[str, str | bytes], filename: str = "logo.png") -> aiohttp.FormData:
    """A part of bytes is sent as a file."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in parts:
        file = io.BytesIO(value) if isinstance(value, bytes) else None
        form.add_field(name, file or value, filename=filename if file is not None else None)
    return form


async def post(api: Api, form: aiohttp.FormData) -> tuple[int, Document]:
    async with api.http.post("/v1/watermarks", data=form) as answer:
        return answer.status, await answer.json(content_type=None)


async def stored(api: Api, content: bytes = PNG, name: str = "Logo") -> Document:
    status, watermark = await post(api, a_form(("image", content), ("name", name)))
    assert status == 201, watermark
    return watermark


def recipe_with(watermark_id: str) -> str:
    return json.dumps({"steps": [{"step": "mute"}, {"step": "watermark", "image": watermark_id}]})


async def delete(api: Api, watermark_id: str) -> tuple[int, Document | None]:
    async with api.http.delete(f"/v1/watermarks/{watermark_id}") as answer:
        return answer.status, (await answer.json(content_type=None) if answer.status != 204 else None)


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")], ids=["png", "jpeg", "webp"]
)
async def test_an_image_is_stored_shown_and_sent_as_it_came(api: Api, content: bytes, kind: str) -> None:
    form = a_form(("name", " Logo ñ "), ("image", content))
    async with api.http.post("/v1/watermarks", data=form) as answer:
        watermark = await answer.json()

    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/watermarks/{watermark['id']}"
    assert (watermark["name"], watermark["content_type"], watermark["size"]) == ("Logo ñ", kind, len(content))
    assert watermark["sha256"] == hashlib.sha256(content).hexdigest()
    assert await api.get(f"/v1/watermarks/{watermark['id']}") == watermark
    async with api.http.get(watermark["url"]) as answer:
        assert await answer.read() == content
        assert answer.headers["Content-Type"] == kind
        assert "immutable" in answer.headers["Cache-Control"]


async def test_without_a_name_it_has_its_files(api: Api) -> None:
    status, watermark = await post(api, a_form(("image", PNG), filename="../My logo.v2.png"))

    assert (status, watermark["name"]) == (201, "My logo.v2")


@pytest.mark.parametrize(
    ("parts", "status", "code", "pointer"),
    [
        ((("name", "x"),), 422, "watermark.no_image", "/image"),
        ((("image", b"GIF89a" * 10),), 422, "watermark.not_image", "/image"),
        ((("image", b"\x89PNG\r\n\x1a\n"),), 422, "watermark.not_image", "/image"),
        ((("image", b""),), 422, "watermark.not_image", "/image"),
        ((("image", PNG), ("name", "  ")), 422, "request.invalid", "/name"),
        ((("image", PNG), ("name", "x" * 201)), 422, "request.invalid", "/name"),
        ((("image", PNG), ("name", "a\0b")), 422, "request.invalid", "/name"),
        ((("image", PNG), ("image", PNG)), 422, "request.invalid", "/image"),
        ((("image", PNG), ("colour", "red")), 422, "request.invalid", "/colour"),
        ((("image", PNG + b"x" * 10_000_000),), 413, "watermark.too_large", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_refused_image_leaves_nothing(
    api: Api, parts: tuple[tuple[str, str | bytes], ...], status: int, code: str, pointer: str | None
) -> None:
    answered, problem = await post(api, a_form(*parts))

    assert (answered, problem["code"]) == (status, code)
    assert [one["pointer"] for one in problem.get("errors", [])] == ([pointer] if pointer else [])
    assert await api.keys() == []
    assert (await api.get("/v1/watermarks"))["data"] == []


async def test_only_a_form_is_taken(api: Api) -> None:
    async with api.http.post("/v1/watermarks", data=PNG, headers={"Content-Type": "image/png"}) as answer:
        assert answer.status == 415


async def test_they_are_listed_page_by_page_the_newest_first(api: Api) -> None:
    ids = [(await stored(api, name=str(number)))["id"] for number in range(5)]

    first = await api.get("/v1/watermarks?limit=3")
    second = await api.get(f"/v1/watermarks?limit=3&cursor={first['next_cursor']}")

    assert [one["id"] for one in first["data"] + second["data"]] == sorted(ids, reverse=True)
    assert second["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "colour=red"])
async def test_a_bad_question_is_pointed_at(api: Api, query: str) -> None:
    problem = await api.get(f"/v1/watermarks?{query}", status=422)

    assert [one["pointer"] for one in problem["errors"]] == [f"/{query.partition('=')[0]}"]


async def test_a_recipe_calls_it_by_its_id(api: Api) -> None:
    watermark = await stored(api)

    video = await api.upload(recipe=recipe_with(watermark["id"]))

    assert video["recipe"]["steps"][1]["image"] == watermark["id"]


async def test_an_id_that_leads_nowhere_is_pointed_at(api: Api) -> None:
    form = a_form(("file", b"x" * 100), ("recipe", recipe_with(new_id())))
    async with api.http.post("/v1/videos", data=form) as answer:
        problem = await answer.json(content_type=None)

    assert (answer.status, problem["code"]) == (422, "recipe.unknown_image")
    assert [one["pointer"] for one in problem["errors"]] == ["/recipe/steps/1/image"]


async def test_an_image_of_one_video_has_no_name(api: Api) -> None:
    form = a_form(("file", b"x" * 100), ("watermark", PNG), ("recipe", recipe_with("watermark")))
    async with api.http.post("/v1/videos", data=form) as answer:
        assert answer.status == 202

    assert (await api.get("/v1/watermarks"))["data"] == []


async def test_a_deleted_one_is_gone_with_its_image_and_no_recipe_may_call_it(api: Api) -> None:
    watermark = await stored(api)

    assert await delete(api, watermark["id"]) == (204, None)

    for path in ("", "/image"):
        problem = await api.get(f"/v1/watermarks/{watermark['id']}{path}", status=404)
        assert problem["code"] == "watermark.not_found"
    assert (await delete(api, watermark["id"]))[0] == 404
    assert await api.keys() == []
    form = a_form(("file", b"x" * 100), ("recipe", recipe_with(watermark["id"])))
    async with api.http.post("/v1/videos", data=form) as answer:
        assert (await answer.json(content_type=None))["code"] == "recipe.unknown_image"


async def test_it_can_not_be_deleted_while_a_video_needs_it(api: Api) -> None:
    watermark = await stored(api)
    video = await api.upload(recipe=recipe_with(watermark["id"]))
    run = await api.save_run(
        replace(
            a_run(VideoId(video["id"])),
            recipe=(await api.video(video["id"])).recipe,
            state=RunState.RENDERING,
            finished_at=None,
        )
    )

    status, problem = await delete(api, watermark["id"])
    assert problem is not None
    assert (status, problem["code"]) == (409, "watermark.in_use")

    await api.change_run(run, state=RunState.READY)
    assert (await delete(api, watermark["id"]))[0] == 204


async def test_a_deletion_that_failed_half_way_can_be_asked_for_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    watermark = await stored(api)

    async def fail(_: object, prefix: str) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(api.parts.storage), "delete", fail)
        assert (await delete(api, watermark["id"]))[0] == 503

    assert (await delete(api, watermark["id"]))[0] == 204


async def test_another_tenants_is_not_found(api: Api) -> None:
    watermark = await stored(api)
    theirs = new_id()
    async with api.parts.store.transaction() as transaction:
        mine = await transaction.watermarks.get(DEFAULT_TENANT, watermark["id"])
        assert mine is not None
        await transaction.watermarks.add(replace(mine, id=theirs, tenant=Tenant("other")))

    await api.get(f"/v1/watermarks/{theirs}", status=404)
    assert (await delete(api, theirs))[0] == 404
    assert [one["id"] for one in (await api.get("/v1/watermarks"))["data"]] == [watermark["id"]]
