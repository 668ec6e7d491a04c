"""The servers of the tests do what ``Server`` says; all else builds on it."""

import asyncio

import asyncpg
import boto3
import pytest
import redis

from moviola.settings import S3Settings
from tests.servers import Server
from tests.servers.readiness import postgresql_answers, rabbitmq_answers, redis_answers

pytestmark = pytest.mark.distributed


def test_a_killed_server_answers_at_the_same_address_after_a_new_start(redis_server: Server) -> None:
    redis_server.kill()
    assert not redis_answers(redis_server.url)
    redis_server.start()
    assert redis_answers(redis_server.url)


def test_a_stopped_server_starts_again(redis_server: Server) -> None:
    redis_server.stop()
    assert not redis_answers(redis_server.url)
    redis_server.start()
    assert redis_answers(redis_server.url)


def test_a_paused_server_does_not_answer_until_it_goes_on(redis_server: Server) -> None:
    redis_server.pause()
    assert not redis_answers(redis_server.url)
    redis_server.resume()
    assert redis_answers(redis_server.url)


async def test_a_killed_database_keeps_what_was_committed(postgresql_url: str, postgresql_server: Server) -> None:
    connection = await asyncpg.connect(postgresql_url)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    await asyncio.to_thread(postgresql_server.kill)
    assert not postgresql_answers(postgresql_server.url)
    await asyncio.to_thread(postgresql_server.start)
    connection = await asyncpg.connect(postgresql_url)
    assert await connection.fetchval("SELECT value FROM kept") == 7
    await connection.close()


async def test_a_paused_database_answers_nothing_on_open_connections(
    postgresql_url: str, postgresql_server: Server
) -> None:
    connection = await asyncpg.connect(postgresql_url)
    postgresql_server.pause()
    answer = asyncio.create_task(connection.fetchval("SELECT 1"))
    done, _ = await asyncio.wait([answer], timeout=0.3)
    assert not done
    postgresql_server.resume()
    assert await answer == 1
    await connection.close()


def test_each_test_has_a_bucket_of_its_own(s3: S3Settings) -> None:
    client = boto3.client(
        "s3", endpoint_url=s3.endpoint, region_name=s3.region, aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.put_object(Bucket=s3.bucket, Key="a/b", Body=b"here")
    assert client.get_object(Bucket=s3.bucket, Key="a/b")["Body"].read() == b"here"


def test_the_broker_answers(rabbitmq_url: str) -> None:
    assert rabbitmq_answers(rabbitmq_url)


def test_the_cache_is_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
