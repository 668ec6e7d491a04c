"""Every error is a problem document, and strangers get nothing else."""

import io
import logging

import pytest

from moviola_api import lookup
from tests.unit.moviola_api.conftest import Api

JSON = {"Content-Type": "application/json"}


async def test_an_unknown_address_and_a_wrong_method_are_problems(api: Api) -> None:
    async with api.http.get("/v1/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        assert (await answer.json(content_type=None))["code"] == "not_found"
    async with api.http.put("/v1/videos") as answer:
        problem = await answer.json(content_type=None)
        assert (answer.status, problem["code"]) == (405, "request.method_not_allowed")
        assert answer.headers["Allow"] == "GET,HEAD,POST"


async def test_a_defect_is_logged_under_the_requests_id_and_not_shown(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(lookup, "find", broken)
    video = await api.upload()
    with caplog.at_level(logging.ERROR):
        async with api.http.get(f"/v1/videos/{video['id']}", headers={"X-Request-Id": "my-request"}) as answer:
            text = await answer.text()

    assert answer.status == 500
    assert answer.headers["X-Request-Id"] == "my-request"
    assert '"code":"internal"' in text
    assert '"request_id":"my-request"' in text
    assert "secret" not in text


@pytest.mark.parametrize("sent", ["a b", "x" * 65, "é"])
async def test_a_request_id_that_would_spoil_the_log_is_replaced(api: Api, sent: str) -> None:
    async with api.http.get("/healthz", headers={"X-Request-Id": sent}) as answer:
        assert answer.headers["X-Request-Id"] != sent
        assert len(answer.headers["X-Request-Id"]) == 36


async def test_a_body_that_is_too_long_is_refused(api: Api) -> None:
    video = await api.upload()

    async with api.http.patch(f"/v1/videos/{video['id']}", data=io.BytesIO(b"x" * 2_000_000), headers=JSON) as answer:
        assert answer.status == 413
        assert (await answer.json(content_type=None))["code"] == "request.too_large"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "169.254.169.254", "localhost.evil.example"])
async def test_a_foreign_host_is_refused_since_its_name_may_have_been_rebound(api: Api, host: str) -> None:
    async with api.http.get("/v1/videos", headers={"Host": host}) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "request.foreign_host")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_site_may_not_change_anything(api: Api, headers: dict[str, str]) -> None:
    async with api.http.post("/v1/videos", json={}, headers=headers) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "request.foreign_origin")


async def test_our_own_page_may(api: Api) -> None:
    for headers in ({"Origin": api.url}, {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}, {}):
        async with api.http.post("/v1/videos", json={}, headers=headers) as answer:
            assert answer.status == 422
