"""The form of a webhook, checked by the specification's own library."""

from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from moviola.errors import InvalidInput
from moviola.messages import VideoFailed, VideoReady
from moviola.video import Failure, OutputFile
from moviola.webhooks import BACK_OFF, PING, TOLD, checked_url, data_of, new_secret, payload_of, signatures, wants

NOW = datetime.now(UTC)
PAYLOAD = payload_of("video.ready", {"video_id": "v", "title": "ñ"}, NOW)


def headers(*keys: str) -> dict[str, str]:
    # Of this moment: the library refuses what is older than five minutes, and so long a suite may take.
    seconds = int(datetime.now(UTC).timestamp())
    return {
        "webhook-id": "m",
        "webhook-timestamp": str(seconds),
        "webhook-signature": signatures(keys, "m", seconds, PAYLOAD),
    }


def test_a_signature_is_verified_by_the_specifications_library() -> None:
    secret = new_secret()
    verified = Webhook(secret).verify(PAYLOAD, headers(secret))
    assert verified["type"] == "video.ready"
    assert datetime.fromisoformat(verified["timestamp"]) == NOW


def test_while_a_secret_is_rotated_both_verify_and_no_other_does() -> None:
    new, old = new_secret(), new_secret()
    for secret in (new, old):
        Webhook(secret).verify(PAYLOAD, headers(new, old))
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(PAYLOAD, headers(new, old))


@pytest.mark.parametrize("change", ["webhook-id", "webhook-timestamp", "body"])
def test_what_was_changed_on_the_way_is_not_verified(change: str) -> None:
    secret = new_secret()
    sent = headers(secret)
    if change != "body":
        sent[change] = str(int(sent[change]) + 1) if change == "webhook-timestamp" else "other"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(PAYLOAD + b" " if change == "body" else PAYLOAD, sent)


def test_secrets_are_long_and_never_the_same() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert one.startswith("whsec_")
    assert len(one) == len("whsec_") + 44


def test_a_filter_takes_its_event_a_star_takes_all_and_a_ping_is_always_taken() -> None:
    assert wants(["video.ready"], "video.ready")
    assert not wants(["video.ready"], "video.failed")
    assert all(wants(["video.*"], name) for name in TOLD)
    assert not wants(["video.*"], "video.cancel_requested")
    assert wants(["video.failed"], PING)


def test_keys_of_objects_are_not_told_but_addresses_are() -> None:
    file = OutputFile(name="result.mp4", key="outputs/secret", size=1, sha256="s", content_type="video/mp4")
    data = data_of(VideoReady(video_id="v", tenant="t", run_id="r", files=(file,)))
    assert "outputs/secret" not in str(data)
    told = {"name": "result.mp4", "size": 1, "sha256": "s", "content_type": "video/mp4"}
    files = [{**told, "url": "/v1/videos/v/files/result.mp4"}]
    assert data == {"video_id": "v", "tenant": "t", "run_id": "r", "files": files}


def test_a_failure_is_told_with_its_code() -> None:
    failure = Failure(code="media.corrupt", step="probe", message="m")
    data = data_of(VideoFailed(video_id="v", tenant="t", run_id="r", failure=failure))
    assert data["failure"]["code"] == "media.corrupt"  # type: ignore[index,call-overload]  # it is JSON


def test_eight_attempts_lie_within_a_day() -> None:
    assert len(BACK_OFF) == 7
    assert 20 * 3600 < sum(BACK_OFF) * 1.1 <= 25 * 3600


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "example.com", "https://", "https://user@example.com/",
        "https://u:p@example.com/", "https://example.com/#x", "https://example.com:0/", "https://example.com:99999/",
        "https://exa mple.com/", "https://example.com/\n", "https://example.com/" + "x" * 2000, "https://[::1/",
    ],
)  # fmt: skip
def test_an_address_that_can_be_no_endpoints_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_url(url, allow_private=False)
    assert refused.value.errors[0].pointer == "/url"


def test_tls_is_needed_unless_private_endpoints_are_allowed() -> None:
    assert checked_url("http://10.0.0.1:9000/hook", allow_private=True)
    assert checked_url("https://example.com/hook?x=1", allow_private=False)
