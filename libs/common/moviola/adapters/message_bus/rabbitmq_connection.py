"""A lasting connection to RabbitMQ: made in the background, made again whenever it is lost.

aio-pika's own robust connection is not used. It replays what it remembers, holds its channels by weak references, and
loops for ever over a queue that has other arguments now; here everybody who needs a channel opens one on the connection
of the moment and does so again when it closes, which is a loop of ten lines where it is needed.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from moviola.adapters.message_bus.rabbitmq_topology import declare_topology
from moviola.errors import BusUnavailable
from moviola.video import utc_now

log = structlog.get_logger(__name__)

# A peer that is silent for three of these (and one second each) is taken for lost: about 18 s.
HEARTBEAT_SECONDS = 5
CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 1.0
# Longer than a close may take: closing is not to be interrupted.
CANCEL_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


@contextmanager
def reaching_the_bus() -> Iterator[None]:
    """Turn what the driver raises into ``BusUnavailable``.

    On a lost connection the driver also cancels its own futures, and so whoever awaits them: a ``CancelledError`` that
    nobody asked this task for is such a loss.
    """
    try:
        yield
    except CONNECTION_EXCEPTIONS as error:
        raise BusUnavailable(f"The message bus can't be reached: {_reason(error)}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BusUnavailable("The connection to the message bus was lost.") from error


def heed_cancellation() -> None:
    """Raise the ``CancelledError`` that the driver may have swallowed.

    It waits by ``asyncio.wait_for``, which in Python 3.11 drops a cancellation that meets the answer it waits for.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return str(error) or type(error).__name__


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run *work* beside the body and cancel it behind it; unlike a TaskGroup, the body's errors stay as they are."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        # More than once: the driver may swallow a cancellation (see `heed_cancellation`).
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_SECONDS)
        await asyncio.gather(task, return_exceptions=True)


async def close_quietly(closing: AbstractChannel | AbstractConnection) -> None:
    """Close it if that can be done soon; if not, the broker notices by itself and takes back what was undecided."""
    try:
        with reaching_the_bus():
            async with asyncio.timeout(CLOSE_SECONDS):
                await closing.close()
    except BusUnavailable as error:
        log.debug("closing went unanswered", reason=str(error))


class LastingConnection:
    """*patience* is how many seconds a caller waits for a connection before it hears ``BusUnavailable``.

    *name* is what the broker's operators see.
    """

    def __init__(self, url: str, name: str, patience: float) -> None:
        self._url = url
        self._name = name
        self._patience = patience
        self._up = asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._trouble = "The message bus is not connected yet."
        self.since: datetime | None = None

    async def keep(self) -> None:
        """Connect, declare the topology, wait until the connection is lost, begin again; for ever."""
        pause = FIRST_PAUSE
        while True:
            try:
                with reaching_the_bus():
                    await self._live_through_one()
                pause = FIRST_PAUSE
            except BusUnavailable as error:
                self._tell(str(error))
            except Exception as error:  # A surprise from the driver must not leave the service without a bus.
                log.exception("connecting to the message bus failed unexpectedly", connection=self._name)
                self._trouble = _reason(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def now(self) -> AbstractConnection:
        """The connection, topology declared; waits for one as long as the patience lasts."""
        try:
            async with asyncio.timeout(self._patience):
                return await self.at_last()
        except TimeoutError as error:
            raise BusUnavailable(self._trouble) from error

    async def at_last(self) -> AbstractConnection:
        """The connection, topology declared; waits for one as long as it takes."""
        while self._connection is None:
            await self._up.wait()
        return self._connection

    async def _live_through_one(self) -> None:
        connection = await aio_pika.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": self._name},
        )
        lost = asyncio.Event()
        connection.close_callbacks.add(lambda *_: lost.set())
        try:
            await declare_topology(connection)
            self._connection, self.since = connection, utc_now()
            self._trouble = "The connection to the message bus was just lost."
            self._up.set()
            log.info("connected to the message bus", connection=self._name)
            await lost.wait()
            log.warning("lost the message bus", connection=self._name)
        finally:
            self._up.clear()
            self._connection, self.since = None, None
            await close_quietly(connection)

    def _tell(self, trouble: str) -> None:
        """Once for each reason, not at every attempt."""
        if trouble != self._trouble:
            log.warning("the message bus can't be reached, trying again", connection=self._name, reason=trouble)
        self._trouble = trouble
