"""Webhooks by the Standard Webhooks specification: which events, in what form, and how they are signed.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import JsonValue
from pydantic_core import to_json

from moviola.errors import FieldError, InvalidInput
from moviola.messages import (
    Message,
    VideoCanceled,
    VideoDeleted,
    VideoFailed,
    VideoReady,
    VideoStateChanged,
    VideoUploaded,
)

PING = "webhook.ping"
# What is told; other events are between the services.
TOLD: Mapping[str, type[Message]] = {
    message.type: message
    for message in (VideoUploaded, VideoStateChanged, VideoReady, VideoFailed, VideoCanceled, VideoDeleted)
}
FILTERS = (*TOLD, "video.*")
# Seconds between one attempt and the next: eight attempts within a day.
BACK_OFF = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 28_800.0, 25_200.0)

_PREFIX = "whsec_"
_SECRET_BYTES = 32
_MAX_URL = 2000


def new_secret() -> str:
    """256 random bits, in the form that receivers' libraries take."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signatures(keys: Sequence[str], message_id: str, timestamp: int, payload: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each of *keys*, so that a receiver may have either."""
    signed = f"{message_id}.{timestamp}.".encode() + payload
    return " ".join(f"v1,{_sign(key, signed)}" for key in keys)


def _sign(key: str, signed: bytes) -> str:
    raw = base64.b64decode(key.removeprefix(_PREFIX))
    return base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()


def wants(filters: Sequence[str], type_name: str) -> bool:
    """Whether one of the *filters* takes events of that type; a ping is always taken."""
    return type_name == PING or type_name in filters or ("video.*" in filters and type_name in TOLD)


def payload_of(type_name: str, data: JsonValue, at: datetime) -> bytes:
    """The body: type, time and data, as the specification recommends."""
    return to_json({"type": type_name, "timestamp": at, "data": data})


def data_of(message: Message) -> JsonValue:
    """What an event tells outside: without the keys of objects in our bucket, with addresses instead."""
    data: dict[str, JsonValue] = message.model_dump(mode="json", exclude={"v"})
    if isinstance(message, VideoReady):
        folder = f"/v1/videos/{message.video_id}/files"
        data["files"] = [{**file.model_dump(exclude={"key"}), "url": f"{folder}/{file.name}"} for file in message.files]
    return data


def checked_url(url: str, *, allow_private: bool) -> str:
    """*url* if it can be an endpoint's; ``InvalidInput``. Where its host leads is for others to see."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused("It is no address.") from error
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise _refused("It must begin with https://.")
    if not parts.hostname or port == 0 or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        raise _refused("It is no address of a server.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("It must have neither user nor password nor fragment.")
    return url


def _refused(why: str) -> InvalidInput:
    return InvalidInput(f"The url can't be an endpoint's. {why}", [FieldError("/url", why)], code="webhook.url_refused")
