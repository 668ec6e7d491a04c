"""The contract of the bus: current, whole in itself, and true of what really travels."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from moviola import __version__
from moviola.asyncapi import asyncapi_document
from moviola.messages import ALL, Message, VideoFailed, VideoReady, VideoRejected, VideoSubmitted, VideoUploaded
from moviola.ports.message_bus import post
from moviola.topology import EXCHANGES
from moviola.video import Failure, OutputFile

DOCUMENT: Any = json.loads(json.dumps(asyncapi_document(__version__)))
FILE = OutputFile(name="result.mp4", key="k", size=1, sha256="s", content_type="video/mp4")
SENT: tuple[Message, ...] = (
    VideoUploaded(video_id="v", tenant="t", submission="m"),
    VideoReady(video_id="v", tenant="t", run_id="r", files=(FILE,)),
    VideoFailed(video_id="v", tenant="t", run_id="r", failure=Failure(code="media.corrupt", step="probe", message="m")),
    VideoRejected(tenant="t", submission="m", code="message.malformed", message="m"),
    VideoSubmitted.model_validate({"object": {"key": "incoming/default/a.mp4"}, "recipe": {"steps": []}}),
)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def at(reference: str) -> Any:
    """What a reference within the document leads to."""
    found = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    return found


def validator(type_name: str) -> jsonschema.Draft202012Validator:
    payload = at(f"#/components/messages/{type_name}")["payload"]
    assert payload["schemaFormat"] == "application/schema+json;version=draft-2020-12"
    return jsonschema.Draft202012Validator({**payload["schema"], "components": DOCUMENT["components"]})


def test_every_message_has_its_channel_operation_and_schema() -> None:
    types = {message.type for message in ALL}
    assert set(DOCUMENT["channels"]) == set(DOCUMENT["operations"]) == set(DOCUMENT["components"]["messages"]) == types
    assert {DOCUMENT["asyncapi"], DOCUMENT["info"]["version"]} == {"3.0.0", __version__}
    assert all(message["summary"] for message in DOCUMENT["components"]["messages"].values())


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 50
    for reference in found:
        assert at(reference) is not None


def test_every_schema_is_json_schema_and_speaks_no_dialect() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert '"propertyName"' not in json.dumps(DOCUMENT)


@pytest.mark.parametrize("message", SENT, ids=lambda one: one.type)
def test_what_is_published_is_as_the_contract_says(message: Message) -> None:
    posting = post(message)
    channel = DOCUMENT["channels"][message.type]

    assert channel["address"] == posting.address.key
    assert channel["bindings"]["amqp"]["exchange"]["name"] == posting.address.exchange
    kinds = {exchange.name: exchange.kind for exchange in EXCHANGES}
    assert channel["bindings"]["amqp"]["exchange"]["type"] == kinds[posting.address.exchange]
    validator(message.type).validate(json.loads(posting.envelope.body))


@pytest.mark.parametrize(
    "body",
    [{}, {"object": {}}, {"v": 2, "object": {"key": "k"}}, {"object": {"key": "k"}, "priority": 1000}],
)
def test_what_the_code_refuses_the_contract_refuses_too(body: Any) -> None:
    assert not validator("video.submitted").is_valid(body)


def test_its_examples_are_valid_and_the_producer_is_the_only_one_who_sends_to_us() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        for example in message.get("examples", ()):
            validator(message["name"]).validate(example["payload"])
    received = [name for name, operation in DOCUMENT["operations"].items() if operation["action"] == "receive"]
    assert received == ["video.submitted"]
