"""Real servers for the tests: RabbitMQ, Redis, PostgreSQL and S3, each started when the first test wants it.

Where one comes from, in this order:

1. a URL in the environment: ``MOVIOLA_TEST_BUS_URL``, ``MOVIOLA_TEST_REDIS_URL``, ``MOVIOLA_TEST_POSTGRESQL_URL``,
   ``MOVIOLA_TEST_S3_ENDPOINT``. What is behind it is for the tests alone: queues and keys are deleted.
2. a container, where a Docker API answers (testcontainers);
3. a private process, from the installed binary, on a random port in a directory of its own. S3 is always moto's server
   in such a process.

All have the verbs of ``Server``, so a fault test runs on any of them. Where none can be had, the tests that want it are
skipped with a loud reason, or fail when ``CI=true``.
"""

from tests.servers.providers import Servers
from tests.servers.server import MissingServer, Server

__all__ = ["MissingServer", "Server", "Servers"]
