"""The contract of the bus as an AsyncAPI 3 document, made from the messages and the topology; pure and always current.

https://www.asyncapi.com/docs/reference/specification/v3.0.0; "receive" and "send" are said from Moviola's side. Message
schemas are JSON Schema 2020-12 as pydantic makes them, with their parts under ``components/schemas``.
"""

import inspect
from collections.abc import Iterator, Mapping

from pydantic import JsonValue, TypeAdapter
from pydantic.json_schema import models_json_schema

from moviola.messages import ALL, CancelTasks, Event, Message, RestWorker, TaskCommand, VideoRejected, VideoSubmitted
from moviola.topology import CONTROL, EVENTS, EXCHANGES, INGEST, TASKS

Json = dict[str, JsonValue]
_SCHEMAS = "#/components/schemas/{model}"
_JSON_SCHEMA = "application/schema+json;version=draft-2020-12"
_BINDING = "0.3.0"

_DESCRIPTION = """How Moviola's services and its neighbours speak over RabbitMQ.

A producer publishes `video.submitted` on the exchange `moviola.ingest` and may write nowhere else; what happens is told
on the topic exchange `moviola.events`, to which anyone may bind a queue. What is below `moviola.tasks` and
`moviola.control` is between the services and may change with them.

Every body has an integer `v`; unknown fields are ignored, an unknown type or version goes to the dead letters. The AMQP
`type` names the message, `message_id` dedupes it, `correlation_id` is the video's id."""

_ON_EXCHANGES: Mapping[str, str] = {
    INGEST: "Producers announce videos here. A bad announcement is answered with `video.rejected` and dead-lettered.",
    EVENTS: "What happened; the routing key is the message's type.",
    TASKS: "Commands for workers, one queue a kind. Internal.",
    CONTROL: "Hints to every worker. Internal.",
}


def asyncapi_document(version: str) -> Json:
    """The whole contract; *version* is Moviola's."""
    schemas = _schemas()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:moviola:bus",
        "info": {
            "title": "Moviola on RabbitMQ",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "schemas": schemas,
            "messages": {message.type: _message(message) for message in ALL},
        },
    }


def _schemas() -> Json:
    _, definitions = models_json_schema([(message, "validation") for message in ALL], ref_template=_SCHEMAS)
    schemas: Json = TypeAdapter(Json).validate_python(_plain(definitions["$defs"]))
    return schemas


def _plain(schema: object) -> object:
    """Without ``discriminator``, which is OpenAPI's word and another thing in AsyncAPI; ``oneOf`` says as much."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if not _discriminates(name, value)}
    return [_plain(one) for one in schema] if isinstance(schema, list) else schema


def _discriminates(name: str, value: object) -> bool:
    return name == "discriminator" and isinstance(value, dict) and "propertyName" in value


def exchange_of(message: type[Message]) -> str:
    """The exchange that *message* is published on."""
    if issubclass(message, Event):
        return EVENTS
    if issubclass(message, TaskCommand):
        return TASKS
    return {VideoSubmitted: INGEST, CancelTasks: CONTROL, RestWorker: CONTROL}[message]


def _key(message: type[Message]) -> str:
    if issubclass(message, TaskCommand):
        return message.kind
    return "" if issubclass(message, CancelTasks | RestWorker) else message.type


def _channels() -> Iterator[tuple[str, JsonValue]]:
    """One a message: the address is its routing key, the binding its exchange."""
    kinds = {exchange.name: exchange.kind for exchange in EXCHANGES}
    for message in ALL:
        exchange = exchange_of(message)
        yield (
            message.type,
            {
                "address": _key(message),
                "title": f"{exchange} {message.type}",
                "description": _ON_EXCHANGES[exchange],
                "messages": {message.type: {"$ref": f"#/components/messages/{message.type}"}},
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {
                            "name": exchange,
                            "type": kinds[exchange],
                            "durable": True,
                            "autoDelete": False,
                            "vhost": "/",
                        },
                        "bindingVersion": _BINDING,
                    }
                },
            },
        )


def _operations() -> Iterator[tuple[str, JsonValue]]:
    for message in ALL:
        submitted = issubclass(message, VideoSubmitted)
        channel = f"#/channels/{message.type}"
        operation: Json = {
            "action": "receive" if submitted else "send",
            "channel": {"$ref": channel},
            "summary": _summary(message),
            "messages": [{"$ref": f"{channel}/messages/{message.type}"}],
            "bindings": {"amqp": {"deliveryMode": 2, "bindingVersion": _BINDING}},
        }
        if submitted:
            rejected = f"#/channels/{VideoRejected.type}"
            operation["reply"] = {
                "channel": {"$ref": rejected},
                "messages": [{"$ref": f"{rejected}/messages/{VideoRejected.type}"}],
            }
        yield message.type, operation


def _message(message: type[Message]) -> JsonValue:
    return {
        "name": message.type,
        "title": message.__name__,
        "summary": _summary(message),
        "contentType": "application/json",
        "payload": {
            "schemaFormat": _JSON_SCHEMA,
            "schema": {"$ref": _SCHEMAS.format(model=message.__name__)},
        },
        "bindings": {"amqp": {"messageType": message.type, "contentEncoding": "utf-8", "bindingVersion": _BINDING}},
        **({"examples": [_EXAMPLE]} if issubclass(message, VideoSubmitted) else {}),
    }


_EXAMPLE: JsonValue = {
    "name": "resize",
    "summary": "Resize an object that lies in the bucket.",
    "payload": {
        "v": 1,
        "object": {"key": "incoming/default/holiday.mp4", "etag": "9b2cf535f27731c974343645a3985328"},
        "recipe": {"version": 1, "steps": [{"step": "resize", "height": 720}]},
        "title": "Holiday",
        "tags": ["2026"],
        "metadata": {"camera": "left"},
        "priority": 0,
    },
}


def _summary(message: type[Message]) -> str:
    """The first sentence of the class's own docstring, or of the nearest base that has one."""
    return (inspect.getdoc(message) or "").partition("\n")[0]
