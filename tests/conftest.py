"""Servers and what a test gets of them: empty queues, an empty cache, a database and a bucket of its own."""

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest

from moviola.settings import S3Settings
from moviola.topology import EXCHANGES, QUEUES
from moviola.video import new_id
from tests.servers import MissingServer, Server, Servers

SERVER_FIXTURES = ("rabbitmq_server", "redis_server", "postgresql_server", "s3_server")
# Machines differ, and this one may be busy: how long an example takes says nothing.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")
_SERVERS = pytest.StashKey[Servers]()
_missing: set[str] = set()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SERVERS] = Servers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of several processes one has all acceptance tests, which share running systems; the others go file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path, _, _ = nodeid.partition("::")
            return "tests/acceptance" if path.startswith("tests/acceptance/") else path

    return Scheduling(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the collected tests want, while the others run."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in _wanted_by(item)}
    session.config.stash[_SERVERS].begin(sorted(wanted))


def _wanted_by(item: pytest.Item) -> Iterator[str]:
    """By a fixture's name, or by a parameter that is a server's name, as the contract suites have it."""
    for name in getattr(item, "fixturenames", ()):
        if name in SERVER_FIXTURES:
            yield name.removesuffix("_server")
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec else ():
        if isinstance(value, str) and f"{value}_server" in SERVER_FIXTURES:
            yield value


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where several processes share the tests, each hands over what it could not test."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["missing"] = sorted(_missing)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _missing.update(getattr(node, "workeroutput", {}).get("missing", ()))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers; the very last lines say what was not tested."""
    config.stash[_SERVERS].close()
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    for reason in sorted(_missing) if terminal is not None else ():
        terminal.write_line(f"NOT TESTED: {reason}", red=True, bold=True)


def _server(config: pytest.Config, name: str) -> Server:
    try:
        return config.stash[_SERVERS].get(name)
    except MissingServer as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        _missing.add(str(missing))
        pytest.skip(str(missing))


# Not of the session's scope: each test gets the server running again, whatever the one before did to it.


@pytest.fixture
def rabbitmq_server(pytestconfig: pytest.Config) -> Server:
    return _server(pytestconfig, "rabbitmq")


@pytest.fixture
def redis_server(pytestconfig: pytest.Config) -> Server:
    return _server(pytestconfig, "redis")


@pytest.fixture
def postgresql_server(pytestconfig: pytest.Config) -> Server:
    return _server(pytestconfig, "postgresql")


@pytest.fixture
def s3_server(pytestconfig: pytest.Config) -> Server:
    return _server(pytestconfig, "s3")


@pytest.fixture
async def rabbitmq_url(rabbitmq_server: Server) -> str:
    """A broker without any of our exchanges and queues."""
    import aio_pika

    async with await aio_pika.connect(rabbitmq_server.url) as connection:
        channel = await connection.channel()
        for queue in QUEUES:
            await channel.queue_delete(queue.name)
        for exchange in EXCHANGES:
            await channel.exchange_delete(exchange.name)
    return rabbitmq_server.url


@pytest.fixture
def redis_url(redis_server: Server) -> str:
    """An empty Redis database."""
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        client.flushdb()
    return redis_server.url


@pytest.fixture
async def postgresql_url(postgresql_server: Server) -> AsyncIterator[str]:
    """A new, empty database; ``postgresql://`` without a driver."""
    import asyncpg

    name = f"test_{new_id().replace('-', '')}"
    admin = await asyncpg.connect(postgresql_server.url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    finally:
        await admin.close()
    yield urlsplit(postgresql_server.url)._replace(path=f"/{name}").geturl()
    postgresql_server.start()
    admin = await asyncpg.connect(postgresql_server.url)
    try:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture
def s3(s3_server: Server) -> Iterator[S3Settings]:
    """A new, empty bucket, and how it is reached."""
    import boto3

    settings = S3Settings.model_validate(
        {
            "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            "S3_BUCKET": f"test-{new_id()}",
            "S3_ENDPOINT": s3_server.url,
            "S3_FORCE_PATH_STYLE": True,
        }
    )
    bucket = boto3.resource(
        "s3", endpoint_url=settings.endpoint, region_name=settings.region,
        aws_access_key_id="test", aws_secret_access_key="test",
    ).Bucket(settings.bucket)  # fmt: skip
    bucket.create()
    yield settings
    s3_server.start()
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    bucket.objects.all().delete()
    bucket.delete()
