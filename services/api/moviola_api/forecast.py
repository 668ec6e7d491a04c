"""Which passes of a plan the step cache would answer, as far as that can be known before anything runs.

A pass that reads what another one makes is known by the content of that: if the cache has the other one's result, it
knows the content too. Behind a pass that has to be done nothing is known, and nothing is said to be cached.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from moviola.fingerprint import content_of, engines_for, fingerprint
from moviola.plan import Pass, Plan
from moviola.ports.video_store import Transaction
from moviola.recipe import Recipe
from moviola.settings import Settings
from moviola.video import Tenant, Worker, utc_now
from moviola_api.documents import CostedPass, CostedPlan


async def costed(
    plan: Plan,
    transaction: Transaction,
    settings: Settings,
    *,
    tenant: Tenant,
    original: str | None,
    recipe: Recipe | None,
) -> CostedPlan:
    """*plan*, saying of each pass whether its result is there already; *original* is the original's SHA-256."""
    workers = await transaction.workers.alive(since=utc_now() - timedelta(seconds=settings.worker_silent_seconds))
    images = await _images(transaction, tenant, recipe)
    made: dict[str, str] = {}
    for one in plan.passes if settings.step_cache else ():
        keys = _keys(one, original, made, images, workers)
        for result in (await transaction.results.find(tenant, keys)).values():
            made[one.name] = content_of(result.outputs)
    passes = tuple(CostedPass(**one.__dict__, cached=one.name in made) for one in plan.passes)
    return CostedPlan(**{**plan.__dict__, "passes": passes})


async def _images(transaction: Transaction, tenant: Tenant, recipe: Recipe | None) -> Mapping[str, str]:
    found = [await transaction.watermarks.get(tenant, name) for name in (recipe.images if recipe is not None else ())]
    return {one.id: one.sha256 for one in found if one is not None and one.sha256}


def _keys(
    one: Pass, original: str | None, made: Mapping[str, str], images: Mapping[str, str], workers: Sequence[Worker]
) -> list[str]:
    keys = (
        fingerprint(one, original=original, made=made, images=images, engine=engine)
        for engine in engines_for(one.kind, workers)
    )
    return [key for key in keys if key is not None]
