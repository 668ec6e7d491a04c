"""A worker: slots that take tasks one by one, an ear for cancels, and a sign of life.

A slot takes a message only when it holds a child that is ready, claims the task, acknowledges the message and only then
works: from the claim on, the orchestrator's lease owns the task and not the broker.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import structlog

from moviola import __version__
from moviola.errors import BusUnavailable, MalformedMessage
from moviola.messages import CancelTasks, TaskCommand, WorkerAlive
from moviola.planner import Kind
from moviola.ports.message_bus import Delivery, MessageBus, post
from moviola.settings import Settings
from moviola.telemetry import about
from moviola.topology import CONTROL, task_queue
from moviola_workers.child_process import Child
from moviola_workers.reporting import Reporter
from moviola_workers.spares import Spares
from moviola_workers.supervisor import Attempt, Place

log = structlog.get_logger()
T = TypeVar("T")

BUS_PAUSE_SECONDS = 1.0
# What a worker that ends gives the bus to take its last words; afterwards the lease has to tell.
FAREWELL_SECONDS = 5.0
