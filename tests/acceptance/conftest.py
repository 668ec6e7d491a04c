"""The systems that the acceptance tests run on: both ways to run Moviola, started once and used by all tests."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance import systems
from tests.acceptance.client import Client
from tests.acceptance.systems import Deployment, ObjectsOf
from tests.servers import MissingServer, Servers

ORCHESTRATORS = ("orchestrator-1", "orchestrator-2")
CLIP = Path(__file__).parent.parent / "media" / "bigbuckbunny.mp4"


@pytest.fixture(scope="package")
def backing() -> Iterator[dict[str, str]]:
    """Servers of the acceptance tests' own, and the environment that leads to them."""
    servers = Servers()
    names = ("rabbitmq", "postgresql", "redis", "s3")
    servers.begin(names)
    try:
        found = {name: servers.get(name) for name in names}
    except MissingServer as missing:
        servers.close()
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    environment = {
        "MOVIOLA_BUS_URL": found["rabbitmq"].url,
        "MOVIOLA_DATABASE_URL": found["postgresql"].url,
        "MOVIOLA_CACHE_URL": found["redis"].url,
        "MOVIOLA_STORAGE_URL": "s3:",
        "S3_ENDPOINT": found["s3"].url,
        "S3_BUCKET": "moviola-acceptance",
        "S3_FORCE_PATH_STYLE": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    systems.bucket(environment).create()
    yield environment
    servers.close()


def start(deployment: Deployment) -> Iterator[Deployment]:
    deployment.start()
    try:
        deployment.wait_ready()
    except BaseException:
        # Nobody else would end them.
        deployment.kill()
        raise
    yield deployment
    statuses = deployment.stop()
    assert set(statuses.values()) <= {0}, f"not every service ended well: {statuses}"


@pytest.fixture(scope="package")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    yield from start(systems.embedded(tmp_path_factory.mktemp("embedded")))


@pytest.fixture(scope="package")
def distributed(tmp_path_factory: pytest.TempPathFactory, backing: dict[str, str]) -> Iterator[Deployment]:
    yield from start(systems.distributed(tmp_path_factory.mktemp("distributed"), backing))


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.distributed)])
def system(request: pytest.FixtureRequest) -> Deployment:
    """Each test runs on both."""
    deployment: Deployment = request.getfixturevalue(request.param)
    return deployment


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.distributed)])
def unfused(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A system that plans without fusion: the orchestrators do, and the API in its dry runs."""
    if request.param == "embedded":
        yield from start(systems.embedded(tmp_path, MOVIOLA_FUSION="false"))
        return
    deployment: Deployment = request.getfixturevalue("distributed")
    restart(deployment, MOVIOLA_FUSION="false")
    yield deployment
    restart(deployment)


def restart(deployment: Deployment, **environment: str) -> None:
    """Start again those who plan, with more in their environment."""
    deployment.kill("api", *ORCHESTRATORS)
    deployment.start("api", *ORCHESTRATORS, **environment)
    deployment.wait_ready()
    # A process that is told to stop before it can listen for that dies of it, and the next to use this would wonder.
    deployment.wait_logged("the orchestrator runs", *ORCHESTRATORS)


@pytest.fixture
async def client(system: Deployment) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        yield Client(system.url, http)


@pytest.fixture
async def stored(client: Client) -> str:
    """The id of a video that is stored and probed."""
    return str((await client.ready((await client.upload(CLIP, recipe="null"))["id"]))["id"])


@pytest.fixture
def stored_objects(system: Deployment) -> ObjectsOf:
    return systems.objects_of(system)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A directory that is removed at once, since results are large."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)
