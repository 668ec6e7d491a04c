"""Where objects lie. Every prefix has one kind of writer, so that a policy can be cut along them.

originals/{tenant}/{video}/...                      the API writes; captions lie there too
outputs/{tenant}/{video}/{run}/{pass}/{attempt}-{nonce}/...   workers write
watermarks/{tenant}/{id}                            the API writes
incoming/{tenant}/...                               producers write
"""

from moviola.plan import Pass
from moviola.video import RunId, Tenant, VideoId


def original(tenant: Tenant, video_id: VideoId) -> str:
    return f"originals/{tenant}/{video_id}/original"


def originals(tenant: Tenant, video_id: VideoId) -> str:
    """The prefix of all that was uploaded for a video."""
    return f"originals/{tenant}/{video_id}/"


def captions(tenant: Tenant, video_id: VideoId, captions_id: str) -> str:
    """Where captions lie that came along with a video."""
    return f"{originals(tenant, video_id)}captions/{captions_id}.vtt"


def outputs(tenant: Tenant, video_id: VideoId) -> str:
    """The prefix of all that was made of a video."""
    return f"outputs/{tenant}/{video_id}/"


def outputs_of(tenant: Tenant, video_id: VideoId, run_id: RunId, one: Pass) -> str:
    """The prefix of one pass; the worker adds attempt and nonce, so that two attempts never meet."""
    return f"outputs/{tenant}/{video_id}/{run_id}/{one.name}/"


def attempt_of(key: str) -> str:
    """The prefix of all that was written together with the output *key*: by one attempt."""
    return "/".join(key.split("/")[:6]) + "/"


def watermark(tenant: Tenant, watermark_id: str) -> str:
    return f"watermarks/{tenant}/{watermark_id}"


def incoming(tenant: Tenant) -> str:
    """The prefix that a producer of the tenant may write to."""
    return f"incoming/{tenant}/"
