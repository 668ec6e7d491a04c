"""What this process counts, for Prometheus. Each application has a registry of its own."""

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


class Metrics:
    """Counters of one API process; ``route`` is the pattern, never the address, so that the series stay few."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "moviola_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "moviola_http_request_seconds",
            "From the request's head to the answer's end.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.received = Counter("moviola_upload_bytes", "Bytes of files received.", registry=self.registry)
        self.sent = Counter("moviola_file_bytes_sent", "Bytes of files sent.", registry=self.registry)
        self.uploads = Counter(
            "moviola_uploads", "Videos that came in or did not.", ["way", "outcome"], registry=self.registry
        )
        self.dead_letters = Counter(
            "moviola_dead_letters", "Messages that could not be handled.", ["queue", "reason"], registry=self.registry
        )
        self.unrouted = Counter(
            "moviola_unrouted_messages", "Commands that no queue takes: an alarm.", registry=self.registry
        )
        self.listeners = Gauge("moviola_event_streams", "Event streams that are open.", registry=self.registry)

    def answered(self, request: web.Request, status: int, seconds: float) -> None:
        """Count one request."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "none"
        self.requests.labels(request.method, route, str(status)).inc()
        self.seconds.labels(request.method, route).observe(seconds)

    def response(self) -> web.Response:
        """All of it in Prometheus' text format."""
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
