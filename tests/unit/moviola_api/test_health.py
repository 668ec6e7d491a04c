"""What a load balancer, Prometheus and an operator ask."""

import pytest

from moviola.errors import BusUnavailable
from moviola.video import Worker, utc_now
from tests.unit.moviola_api.conftest import CLIP, Api


async def test_a_service_that_stands_on_its_parts_is_ready_and_names_them(api: Api) -> None:
    assert (await api.get("/healthz"))["alive"] is True
    readiness = await api.get("/readyz")

    assert readiness["ready"] is True
    assert {name: check["ok"] for name, check in readiness["checks"].items()} == {
        "store": True,
        "bus": True,
        "storage": True,
        "cache": True,
    }


async def test_a_service_without_its_bus_is_not_ready_but_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: object) -> None:
        raise BusUnavailable("amqp://user:secret@host")

    monkeypatch.setattr(type(api.parts.bus), "check", away)
    readiness = await api.get("/readyz", status=503)

    assert readiness["ready"] is False
    assert readiness["checks"]["bus"] == {"ok": False, "required": True, "reason": "BusUnavailable"}
    assert readiness["checks"]["store"]["ok"] is True
    await api.get("/healthz")


async def test_requests_uploads_and_bytes_are_counted(api: Api) -> None:
    video = await api.upload()
    async with api.http.get(video["original"]["url"]) as answer:
        await answer.read()
    async with api.http.get("/metrics") as answer:
        text = await answer.text()

    assert f"moviola_upload_bytes_total {float(len(CLIP))}" in text
    assert f"moviola_file_bytes_sent_total {float(len(CLIP))}" in text
    assert 'moviola_uploads_total{outcome="accepted",way="http"} 1.0' in text
    route = 'method="GET",route="/v1/videos/{video_id}/files/{name}",status="200"'
    assert f"moviola_http_requests_total{{{route}}} 1.0" in text


async def test_the_system_is_shown_without_its_secrets(api: Api) -> None:
    async with api.parts.store.transaction() as transaction:
        await transaction.workers.seen(Worker(id="w1", kinds=("render",), version="1", capacity=2, seen_at=utc_now()))
    await api.upload()

    system = await api.get("/v1/system")

    assert [worker["id"] for worker in system["workers"]] == ["w1"]
    assert system["queues"]["moviola.tasks.render"] == 0
    assert system["outbox"] == 1
    assert "scratch_dir" not in system["settings"]
