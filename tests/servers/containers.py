"""Servers as containers, through testcontainers, with the same verbs as the private processes."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.private import free_ports
from tests.servers.readiness import postgresql_answers, rabbitmq_answers, redis_answers
from tests.servers.server import MissingServer, Server, wait_until


@dataclass(frozen=True, slots=True)
class Image:
    """An image and how its server is reached: ``url`` has places for host and port."""

    name: str
    port: int
    url: str
    answers: Callable[[str], bool]
    environment: Mapping[str, str] = field(default_factory=dict)


IMAGES = {
    "rabbitmq": Image(
        "rabbitmq:3.13-management",
        5672,
        "amqp://moviola:moviola@{host}:{port}/",
        rabbitmq_answers,
        {"RABBITMQ_DEFAULT_USER": "moviola", "RABBITMQ_DEFAULT_PASS": "moviola"},
    ),
    "redis": Image("redis:7", 6379, "redis://{host}:{port}/0", redis_answers),
    "postgresql": Image(
        "postgres:16",
        5432,
        "postgresql://moviola:moviola@{host}:{port}/postgres",
        postgresql_answers,
        {"POSTGRES_USER": "moviola", "POSTGRES_PASSWORD": "moviola"},
    ),
}


def docker_answers() -> bool:
    """Whether there is a Docker API here; asked within two seconds."""
    address = os.environ.get("DOCKER_HOST", "")
    if not address and not Path("/var/run/docker.sock").exists():
        return False
    import docker

    try:
        client = docker.from_env(timeout=2)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


class ContainerServer:
    """One container, kept when it ends, so that a new start finds what it had written."""

    def __init__(self, image: Image) -> None:
        from testcontainers.core.container import DockerContainer

        self._image = image
        self._created = False
        (self._port,) = free_ports(1)
        self._container = DockerContainer(image.name).with_envs(**image.environment)
        host = urlsplit(os.environ.get("DOCKER_HOST", "")).hostname
        # A port of our choice: one chosen by the engine changes with every start.
        self._container.ports = {f"{image.port}/tcp": self._port if host else ("127.0.0.1", self._port)}
        self.url = image.url.format(host=host or "127.0.0.1", port=self._port)

    def start(self) -> None:
        if not self._created:
            self._create()
        match self._status():
            case "paused":
                self.resume()
            case "running":
                pass
            case _:
                self._container.get_wrapped_container().start()
        wait_until(
            lambda: self._image.answers(self.url),
            within=90,
            alive=lambda: self._status() == "running",
            what=self._image.name,
        )

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=20)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def pause(self) -> None:
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        if self._status() == "paused":
            self._container.get_wrapped_container().unpause()

    def close(self) -> None:
        self._container.stop(force=True)

    def _status(self) -> str:
        container = self._container.get_wrapped_container()
        container.reload()
        return str(container.status)

    def _create(self) -> None:
        import docker

        try:
            self._container.start()
        except docker.errors.APIError as error:
            raise MissingServer(f"the image {self._image.name} can't be had: {error}") from error
        self._created = True


def container(name: str) -> Server:
    """The server of that name as a container; ``MissingServer`` where no Docker API answers."""
    if not docker_answers():
        raise MissingServer("no Docker API answers")
    return ContainerServer(IMAGES[name])
