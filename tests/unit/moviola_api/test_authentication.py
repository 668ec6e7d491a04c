"""Who is let in, with which key, and what of it they see."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest

from moviola.api_keys import ADMIN, ApiKey, Secret, make_key
from moviola.errors import Refused
from moviola.infrastructure import open_infrastructure
from moviola.settings import Settings
from moviola.video import DEFAULT_TENANT, Tenant, utc_now
from moviola_api import guard
from moviola_api.serve import run_api
from tests.unit.moviola_api.conftest import CLIP, Api, Document

OTHER = Tenant("other")


async def make(api: Api, tenant: Tenant = DEFAULT_TENANT, *scopes: str, **changes: object) -> tuple[ApiKey, Secret]:
    key, secret = make_key(tenant, "a key", now=utc_now(), scopes=scopes, **changes)  # type: ignore[arg-type]  # the tests' own keywords
    async with api.parts.store.transaction() as transaction:
        await transaction.api_keys.add(key)
    return key, secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def ask(
    api: Api, method: str, path: str, secret: str | None = None, *, body: object = None, **headers: str
) -> tuple[int, Document]:
    sent = {**(bearer(secret) if secret else {}), **headers}
    async with api.http.request(method, path, headers=sent, json=body) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 204 else {}


async def upload(api: Api, secret: str) -> str:
    form = aiohttp.FormData()
    form.add_field("file", CLIP, filename="clip.mp4")
    async with api.http.post("/v1/videos", data=form, headers=bearer(secret)) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["id"])


async def test_without_any_key_this_machine_needs_none(api: Api) -> None:
    assert (await ask(api, "GET", "/v1/videos"))[0] == 200


async def test_from_the_first_key_on_every_route_needs_one_but_pages_and_health(api: Api) -> None:
    _, secret = await make(api)

    for method, path in (("GET", "/v1/videos"), ("POST", "/v1/videos"), ("GET", "/v1/events"), ("GET", "/v1/system")):
        status, problem = await ask(api, method, path)
        assert (status, problem["code"]) == (401, "auth.key_required"), path
    async with api.http.get("/v1/videos") as answer:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.content_type == "application/problem+json"
    assert (await ask(api, "GET", "/v1/videos", secret))[0] == 200
    for path in ("/", "/healthz", "/metrics"):
        async with api.http.get(path) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(api: Api, scheme: str) -> None:
    _, secret = await make(api)
    assert (await ask(api, "GET", "/v1/videos", Authorization=f"{scheme} {secret}"))[0] == 200


async def test_a_key_that_is_not_good_is_refused_with_why(api: Api) -> None:
    revoked, secret_of_revoked = await make(api)
    _, expired = await make(api, expires_at=utc_now() - timedelta(seconds=1))
    async with api.parts.store.transaction() as transaction:
        await transaction.api_keys.revoke(DEFAULT_TENANT, revoked.id, at=utc_now())

    async def code(**headers: str) -> object:
        status, problem = await ask(api, "GET", "/v1/videos", None, **headers)
        assert status == 401
        return problem["code"]

    assert await code(**bearer(secret_of_revoked)) == "auth.key_revoked"
    assert await code(**bearer(expired)) == "auth.key_expired"
    assert await code(**bearer("mov_nobody")) == "auth.key_unknown"
    assert await code(**bearer(revoked.sha256)) == "auth.key_unknown"
    assert await code(Authorization="Basic bWU6bWU=") == "auth.malformed"
    assert await code() == "auth.key_required"


async def test_what_another_tenant_has_is_not_found_and_not_listed(api: Api) -> None:
    mine, theirs = await make(api), await make(api, OTHER)
    video_id = await upload(api, mine[1])

    assert (await ask(api, "GET", f"/v1/videos/{video_id}", mine[1]))[0] == 200
    for method, path in (
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/runs"),
        ("POST", "/runs"), ("GET", "/history"), ("GET", "/events"), ("GET", "/files/original"), ("POST", "/plan"),
    ):  # fmt: skip
        body = {} if method in ("PATCH", "POST") else None
        status, problem = await ask(api, method, f"/v1/videos/{video_id}{path}", theirs[1], body=body)
        assert (status, problem["code"]) == (404, "video.not_found"), path
    assert (await ask(api, "GET", "/v1/videos", theirs[1]))[1]["data"] == []
    assert (await ask(api, "GET", f"/v1/videos/{video_id}", mine[1]))[0] == 200


async def test_a_video_knows_the_key_that_it_came_with(api: Api) -> None:
    key, secret = await make(api)
    assert (await api.video(await upload(api, secret))).key_id == key.id


async def test_an_event_stream_tells_of_the_keys_tenant_only(api: Api) -> None:
    mine, theirs = await make(api), await make(api, OTHER)
    async with api.http.get("/v1/events", headers=bearer(theirs[1])) as stream:
        assert stream.status == 200
        await upload(api, mine[1])
        await upload(api, theirs[1])
        posted = []
        async with api.parts.store.transaction() as transaction:
            posted = list(await transaction.outbox.claim(limit=10))
        await api.parts.bus.publish(posted)
        told: list[str] = []
        while "event: video" not in "".join(told):
            told.append((await stream.content.readline()).decode())
        told.append((await stream.content.readline()).decode())
    assert f'"id":"{(await ask(api, "GET", "/v1/videos", theirs[1]))[1]["data"][0]["id"]}"' in told[-1]


async def test_the_last_use_of_a_key_is_noted_roughly(api: Api) -> None:
    _, secret = await make(api, DEFAULT_TENANT, ADMIN)

    async def used() -> object:
        return (await ask(api, "GET", "/v1/keys", secret))[1]["data"][0]["last_used_at"]

    first = await used()
    assert first is not None
    assert await used() == first


async def test_an_admin_key_makes_lists_and_revokes_keys_of_its_tenant(api: Api) -> None:
    _, admin = await make(api, DEFAULT_TENANT, ADMIN)
    stranger, _ = await make(api, OTHER)

    status, made = await ask(api, "POST", "/v1/keys", admin, body={"name": "phone"})
    assert status == 201
    assert made["key"].startswith("mov_")
    assert (await ask(api, "GET", "/v1/videos", made["key"]))[0] == 200
    listed = (await ask(api, "GET", "/v1/keys", admin))[1]["data"]
    assert [one["name"] for one in listed] == ["phone", "a key"]
    assert all("key" not in one and "sha256" not in one for one in listed)
    assert (await ask(api, "DELETE", f"/v1/keys/{stranger.id}", admin))[0] == 404
    assert (await ask(api, "DELETE", f"/v1/keys/{made['id']}", admin))[0] == 204
    assert (await ask(api, "GET", "/v1/videos", made["key"]))[1]["code"] == "auth.key_revoked"


async def test_a_key_without_the_scope_manages_no_keys(api: Api) -> None:
    key, secret = await make(api)
    for method, path in (("POST", "/v1/keys"), ("GET", "/v1/keys"), ("DELETE", f"/v1/keys/{key.id}")):
        status, problem = await ask(api, method, path, secret, body={"name": "x"} if method == "POST" else None)
        assert (status, problem["code"]) == (403, "auth.admin_required")


async def test_the_first_key_is_made_on_this_machine_without_one(api: Api) -> None:
    body = {"name": "first", "scopes": ["admin"], "expires_at": "2100-01-01T00:00:00Z"}
    status, made = await ask(api, "POST", "/v1/keys", body=body)
    assert (status, made["scopes"]) == (201, ["admin"])
    assert (await ask(api, "POST", "/v1/keys", body=body))[0] == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": " "}, "/name"),
        ({"name": "x", "scopes": ["root"]}, "/scopes/0"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "tenant": "other"}, "/tenant"),
    ],
)
async def test_a_bad_key_request_is_pointed_at(api: Api, body: Document, pointer: str) -> None:
    status, problem = await ask(api, "POST", "/v1/keys", body=body)
    assert (status, problem["errors"][0]["pointer"]) == (422, pointer)


async def test_who_shows_a_key_may_come_by_another_name_and_from_elsewhere(api: Api) -> None:
    _, secret = await make(api)
    elsewhere = {"Host": "video.example.org", "Origin": "https://app.example.org"}
    assert (await ask(api, "PATCH", "/v1/videos/none", secret, body={}, **elsewhere))[1]["code"] == "video.not_found"


async def test_an_open_address_is_served_once_there_is_a_key(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # For this test 127.0.0.1 is an address that others can reach: a real one would be reached by others.
    monkeypatch.setattr(guard, "is_loopback", lambda host: host == "localhost")
    async with open_infrastructure(settings) as parts:
        await parts.store.migrate()
        with pytest.raises(Refused, match="moviola keys create"):
            await run_api(parts, settings, stopping=asyncio.Event())
        key, secret = make_key(DEFAULT_TENANT, "one", now=utc_now())
        async with parts.store.transaction() as transaction:
            await transaction.api_keys.add(key)
        stopping, url = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(run_api(parts, settings, stopping=stopping, on_ready=url.set_result))
        async with aiohttp.ClientSession(await url) as http:
            async with http.get("/v1/videos", headers={"Host": "box.example.org"}) as answer:
                assert answer.status == 401
            async with http.get("/v1/videos", headers={"Host": "box.example.org", **bearer(secret)}) as answer:
                assert answer.status == 200
        stopping.set()
        await serving
