"""The routes, and what stands around every one of them."""

from aiohttp import web

from moviola_api import (
    contract,
    dead_letters,
    events,
    explanations,
    health,
    history,
    keys,
    page,
    playback,
    runs,
    system,
    tenant_events,
    uploads,
    videos,
    wanted_runs,
    watermark_uploads,
    watermarks,
    webhook_deliveries,
    webhooks,
)
from moviola_api.authentication import authenticate
from moviola_api.context import CONTEXT, Context
from moviola_api.guard import refuse_strangers
from moviola_api.observation import add_headers, observe
from moviola_api.problems import answer_problems

# Of a JSON body; files are streamed and have a limit of their own.
MAX_BODY_BYTES = 1024 * 1024

ROUTES = (
    web.get("/", page.show_page),
    web.get("/static/{name}", page.show_asset),
    web.get("/healthz", health.healthz),
    web.get("/readyz", health.readyz),
    web.get("/metrics", health.metrics),
    web.get("/asyncapi.json", contract.show_asyncapi),
    web.get("/v1/system", system.show_system),
    web.get("/v1/events", tenant_events.tenant_events, allow_head=False),
    web.post("/v1/videos", uploads.create_video),
    web.get("/v1/videos", videos.list_videos),
    web.get("/v1/videos/{video_id}", videos.show_video),
    web.patch("/v1/videos/{video_id}", videos.change_video),
    web.delete("/v1/videos/{video_id}", videos.delete_video),
    web.post("/v1/videos/{video_id}/cancel", videos.cancel_video),
    web.post("/v1/videos/{video_id}/retry", wanted_runs.retry_video),
    web.get("/v1/videos/{video_id}/runs", runs.list_runs),
    web.post("/v1/videos/{video_id}/runs", wanted_runs.reprocess_video),
    web.get("/v1/videos/{video_id}/runs/{run_id}", runs.show_run),
    web.post("/v1/videos/{video_id}/plan", videos.plan_video),
    web.get("/v1/videos/{video_id}/history", history.show_history),
    web.get("/v1/videos/{video_id}/explain", explanations.explain_video),
    web.get("/v1/videos/{video_id}/events", events.video_events, allow_head=False),
    web.get("/v1/videos/{video_id}/files/{name:.+}", playback.send_file),
    web.get("/v1/videos/{video_id}/runs/{run_id}/files/{name:.+}", playback.send_file_of_run),
    web.get("/v1/dead-letters", dead_letters.list_letters),
    web.post("/v1/dead-letters/redrive", dead_letters.redrive_letters),
    web.post("/v1/dead-letters/discard", dead_letters.discard_letters),
    web.get("/v1/dead-letters/{letter_id}", dead_letters.show_letter),
    web.post("/v1/dead-letters/{letter_id}/redrive", dead_letters.redrive_letter),
    web.delete("/v1/dead-letters/{letter_id}", dead_letters.discard_letter),
    web.post("/v1/webhooks", webhooks.create_webhook),
    web.get("/v1/webhooks", webhooks.list_webhooks),
    web.get("/v1/webhooks/{webhook_id}", webhooks.show_webhook),
    web.patch("/v1/webhooks/{webhook_id}", webhooks.change_webhook),
    web.delete("/v1/webhooks/{webhook_id}", webhooks.delete_webhook),
    web.post("/v1/webhooks/{webhook_id}/rotate-secret", webhooks.rotate_secret),
    web.post("/v1/webhooks/{webhook_id}/ping", webhook_deliveries.ping),
    web.get("/v1/webhooks/{webhook_id}/deliveries", webhook_deliveries.list_deliveries),
    web.get("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", webhook_deliveries.show_delivery),
    web.post("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", webhook_deliveries.redeliver),
    web.post("/v1/keys", keys.create_key),
    web.get("/v1/keys", keys.list_keys),
    web.delete("/v1/keys/{key_id}", keys.revoke_key),
    web.post("/v1/watermarks", watermark_uploads.create_watermark),
    web.get("/v1/watermarks", watermarks.list_watermarks),
    web.get("/v1/watermarks/{watermark_id}", watermarks.show_watermark),
    web.delete("/v1/watermarks/{watermark_id}", watermarks.delete_watermark),
    web.get("/v1/watermarks/{watermark_id}/image", watermarks.send_image),
)


def create_application(context: Context) -> web.Application:
    """The HTTP application over *context*; its feed must be run by whoever serves it."""
    application = web.Application(
        middlewares=[observe, answer_problems, authenticate, refuse_strangers], client_max_size=MAX_BODY_BYTES
    )
    application[CONTEXT] = context
    application.add_routes(ROUTES)
    application.on_response_prepare.append(add_headers)

    async def end_streams(_: web.Application) -> None:
        # Before aiohttp waits for handlers: an event stream would never end by itself.
        context.feed.close()

    application.on_shutdown.append(end_streams)
    return application
