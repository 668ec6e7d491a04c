"""Which server a test gets: the environment's, a container, or a private process; each started once, when asked for."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.servers.containers import container
from tests.servers.private import private_postgresql, private_rabbitmq, private_redis, private_s3
from tests.servers.server import MissingServer, Server

VARIABLES = {
    "rabbitmq": "MOVIOLA_TEST_BUS_URL",
    "redis": "MOVIOLA_TEST_REDIS_URL",
    "postgresql": "MOVIOLA_TEST_POSTGRESQL_URL",
    "s3": "MOVIOLA_TEST_S3_ENDPOINT",
}
PRIVATE: dict[str, Callable[[], Server]] = {
    "rabbitmq": private_rabbitmq,
    "redis": private_redis,
    "postgresql": private_postgresql,
    "s3": private_s3,
}


class GivenServer:
    """A server that somebody else runs: it can be used, and a test that would stop it is skipped."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self) -> None:
        """It runs already."""

    def close(self) -> None:
        """It goes on running."""

    def stop(self) -> None:
        pytest.skip("the server was given by the environment, so it can't be stopped")

    kill = pause = resume = stop


class Servers:
    """All servers of a session by name. They start side by side, and end together in ``close``."""

    def __init__(self) -> None:
        self._starting: dict[str, Future[Server]] = {}
        self._pool = ThreadPoolExecutor(max_workers=len(VARIABLES), thread_name_prefix="waits-for-servers")

    def begin(self, names: Iterable[str]) -> None:
        """Start those in the background."""
        for name in names:
            if name not in self._starting:
                self._starting[name] = self._pool.submit(_started, name)

    def get(self, name: str) -> Server:
        """The running server; ``MissingServer`` where there can be none."""
        self.begin([name])
        server = self._starting[name].result()
        server.start()
        return server

    def close(self) -> None:
        for starting in self._starting.values():
            if starting.exception() is None:
                starting.result().close()
        self._starting.clear()
        self._pool.shutdown()


def _started(name: str) -> Server:
    reasons = []
    for provide in _providers(name):
        try:
            server = provide()
        except MissingServer as missing:
            reasons.append(str(missing))
            continue
        try:
            server.start()
        except MissingServer as missing:
            server.close()
            reasons.append(str(missing))
        except BaseException:
            server.close()
            raise
        else:
            return server
    raise MissingServer(f"There is no {name} server: {', '.join(reasons)}. Set {VARIABLES[name]} or install it.")


def _providers(name: str) -> Iterable[Callable[[], Server]]:
    url = os.environ.get(VARIABLES[name])
    if url:
        return [lambda: GivenServer(url)]
    if name == "s3":
        return [PRIVATE[name]]
    return [lambda: container(name), PRIVATE[name]]
