"""Captions that come along with an upload: stored as WebVTT beside the original, or refused with the line."""

import io
import json
from typing import Any

import aiohttp
import pytest

from moviola.errors import InvalidRecipe
from moviola.recipe import Package, parse_recipe
from moviola.video import new_id
from moviola_api.caption_parts import captions_in, check_captions
from tests.unit.moviola_api.conftest import CLIP, Api

SRT = "1\n00:00:01,000 --> 00:00:02,000\nHola <i>año</i>\n"
Document = dict[str, Any]


def form_with(parts: dict[str, str | bytes], *files: str) -> aiohttp.FormData:
    """A form whose recipe has captions in *files* and which brings the captions *parts*."""
    captions = [{"language": f"{'abcdefgh'[number]}a", "file": file} for number, file in enumerate(files)]
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("recipe", json.dumps({"steps": [{"step": "mute"}, {"step": "package", "captions": captions}]}))
    for name, content in parts.items():
        data = io.BytesIO(content.encode() if isinstance(content, str) else content)
        form.add_field(name, data, filename="subs.srt")
    form.add_field("file", CLIP, filename="clip.mp4")
    return form


async def post(api: Api, form: aiohttp.FormData, **headers: str) -> tuple[int, Document]:
    async with api.http.post("/v1/videos", data=form, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_captions_are_stored_as_webvtt_beside_the_original(api: Api) -> None:
    status, video = await post(api, form_with({"captions-en": SRT, "captions-de": SRT}, "captions-en", "captions-de"))

    assert status == 202, video
    step = (await api.video(video["id"])).recipe.steps[1]  # type: ignore[union-attr]  # it has one
    assert isinstance(step, Package)
    keys = [f"originals/default/{video['id']}/captions/{one.file}.vtt" for one in step.captions]
    assert len(set(keys)) == 2
    assert sorted(await api.keys(f"originals/default/{video['id']}/captions/")) == sorted(keys)
    async with api.parts.storage.read(keys[0]) as chunks:
        text = b"".join([chunk async for chunk in chunks]).decode()
    assert text.startswith("WEBVTT\n")
    assert "00:00:01.000 --> 00:00:02.000\nHola <i>año</i>\n" in text


@pytest.mark.parametrize(
    ("parts", "files", "status", "code", "pointer"),
    [
        ({}, ["captions-en"], 422, "recipe.invalid", "/recipe/steps/1/captions/0/file"),
        ({"captions-en": SRT}, [], 422, "captions.unused", "/captions-en"),
        ({"captions-en": "Hello"}, ["captions-en"], 422, "captions.malformed", "/captions-en"),
        ({"captions-en": b"\xff\xfe1"}, ["captions-en"], 422, "captions.utf8", "/captions-en"),
        ({"captions-en": b"x" * 2_100_000}, ["captions-en"], 413, "captions.too_large", None),
        ({"captions en": SRT}, [], 422, "request.invalid", "/captions en"),
        ({}, [new_id()], 422, "recipe.invalid", "/recipe/steps/1/captions/0/file"),
    ],
    ids=["missing", "unused", "malformed", "not UTF-8", "too large", "bad name", "an id of nothing"],
)
async def test_captions_that_do_not_fit_are_refused_and_nothing_stays(
    api: Api, parts: dict[str, str | bytes], files: list[str], status: int, code: str, pointer: str | None
) -> None:
    answer, problem = await post(api, form_with(parts, *files))

    assert answer == status, problem
    assert problem["code"] == code
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer
    assert await api.keys() == []


async def test_the_same_request_again_is_the_same_video_and_other_captions_are_another_request(api: Api) -> None:
    first = await post(api, form_with({"captions-en": SRT}, "captions-en"), **{"Idempotency-Key": "k"})
    again = await post(api, form_with({"captions-en": SRT}, "captions-en"), **{"Idempotency-Key": "k"})
    other = await post(api, form_with({"captions-en": SRT + "x"}, "captions-en"), **{"Idempotency-Key": "k"})

    assert (first[0], again[0], again[1]["id"]) == (202, 202, first[1]["id"])
    assert (other[0], other[1]["code"]) == (422, "idempotency.mismatch")


def test_captions_that_a_video_has_already_need_not_be_sent_again() -> None:
    stored = new_id()
    recipe = parse_recipe({"steps": [{"step": "package", "captions": [{"language": "en", "file": stored}]}]})

    check_captions(recipe, {}, kept=captions_in(recipe))
    with pytest.raises(InvalidRecipe):
        check_captions(recipe, {}, kept=[new_id()])
