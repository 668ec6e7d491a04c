"""Stored watermarks."""

from typing import Any

import pytest

from moviola.errors import InvalidInput
from moviola.ports.video_store import StoredWatermark, VideoStore
from moviola.recipe import Recipe, Watermark
from moviola.video import DEFAULT_TENANT, RunState, Tenant, VideoState, new_id
from tests.contracts.video_store.records import NOW, a_run, a_video

OTHER = Tenant("other")


def a_watermark(**wanted: Any) -> StoredWatermark:
    usual: dict[str, Any] = {
        "id": new_id(),
        "tenant": DEFAULT_TENANT,
        "name": "Logo ñ",
        "content_type": "image/png",
        "size": 1234,
        "sha256": "ab" * 32,
        "created_at": NOW,
    }
    return StoredWatermark(**usual | wanted)


def recipe_with(watermark: StoredWatermark) -> Recipe:
    return Recipe(steps=(Watermark(text="first"), Watermark(image=watermark.id)))


async def test_a_watermark_is_found_as_it_was_added_by_its_tenant_only(store: VideoStore) -> None:
    watermark = a_watermark()
    async with store.transaction() as tx:
        await tx.watermarks.add(watermark)

    async with store.snapshot() as tx:
        assert await tx.watermarks.get(DEFAULT_TENANT, watermark.id) == watermark
        assert await tx.watermarks.get(OTHER, watermark.id) is None
        assert await tx.watermarks.get(DEFAULT_TENANT, new_id()) is None


async def test_pages_are_of_one_tenant_and_the_newest_come_first(store: VideoStore) -> None:
    marks = [a_watermark() for _ in range(5)]
    async with store.transaction() as tx:
        for watermark in [*marks, a_watermark(tenant=OTHER)]:
            await tx.watermarks.add(watermark)

        newest_first = sorted(marks, key=lambda one: one.id, reverse=True)
        assert await tx.watermarks.page(DEFAULT_TENANT, limit=3) == newest_first[:3]
        assert await tx.watermarks.page(DEFAULT_TENANT, limit=3, before=newest_first[2].id) == newest_first[3:]
        assert await tx.watermarks.page(Tenant("nobody"), limit=3) == []


async def test_what_is_not_listed_is_on_no_page_and_found_by_its_id(store: VideoStore) -> None:
    listed, silent = a_watermark(), a_watermark(listed=False)
    async with store.transaction() as tx:
        await tx.watermarks.add(silent)
        await tx.watermarks.add(listed)

        assert await tx.watermarks.page(DEFAULT_TENANT, limit=3) == [listed]
        assert await tx.watermarks.get(DEFAULT_TENANT, silent.id) == silent


async def test_a_removed_watermark_is_gone_and_others_tenants_stay(store: VideoStore) -> None:
    mine, theirs = a_watermark(), a_watermark(tenant=OTHER)
    async with store.transaction() as tx:
        await tx.watermarks.add(mine)
        await tx.watermarks.add(theirs)
        await tx.watermarks.remove(DEFAULT_TENANT, mine.id)
        await tx.watermarks.remove(DEFAULT_TENANT, mine.id)
        await tx.watermarks.remove(DEFAULT_TENANT, theirs.id)

        assert await tx.watermarks.get(DEFAULT_TENANT, mine.id) is None
        assert await tx.watermarks.get(OTHER, theirs.id) == theirs


@pytest.mark.parametrize("state", [VideoState.UPLOADED, VideoState.WAITING_UPLOAD])
async def test_a_watermark_is_awaited_by_a_video_without_a_run(store: VideoStore, state: VideoState) -> None:
    watermark, unused = a_watermark(), a_watermark()
    async with store.transaction() as tx:
        await tx.videos.add(a_video(state=state, recipe=recipe_with(watermark)))
        await tx.videos.add(a_video(recipe=None))

        assert await tx.watermarks.is_awaited(DEFAULT_TENANT, watermark.id)
        assert not await tx.watermarks.is_awaited(DEFAULT_TENANT, unused.id)
        assert not await tx.watermarks.is_awaited(OTHER, watermark.id)


@pytest.mark.parametrize(
    ("state", "awaited"), [(RunState.RENDERING, True), (RunState.READY, False), (RunState.FAILED, False)]
)
async def test_a_watermark_is_awaited_by_a_run_until_it_ends(store: VideoStore, state: RunState, awaited: bool) -> None:
    watermark = a_watermark()
    recipe = recipe_with(watermark)
    video = a_video(recipe=recipe)
    async with store.transaction() as tx:
        await tx.videos.add(video)
        await tx.runs.add(a_run(video, state=state, recipe=recipe))

        assert await tx.watermarks.is_awaited(DEFAULT_TENANT, watermark.id) == awaited


async def test_a_name_that_a_database_can_not_hold_is_refused(store: VideoStore) -> None:
    with pytest.raises(InvalidInput):
        async with store.transaction() as tx:
            await tx.watermarks.add(a_watermark(name="a\0b"))
