"""Whether a server answers in its own protocol, asked over a plain socket; an open port alone says too little.

A container's port accepts before its server listens, and PostgreSQL listens while it still recovers.
"""

import socket
import struct
from urllib.parse import urlsplit


def rabbitmq_answers(url: str) -> bool:
    # The first frame after the protocol header is Connection.Start: a method frame on channel 0.
    return _ask(url, b"AMQP\x00\x00\x09\x01", 5672).startswith(b"\x01\x00\x00")


def redis_answers(url: str) -> bool:
    return _ask(url, b"PING\r\n", 6379).startswith((b"+PONG", b"-NOAUTH"))


def postgresql_answers(url: str) -> bool:
    parameters = f"user\0{urlsplit(url).username or 'postgres'}\0database\0postgres\0\0".encode()
    startup = struct.pack("!ii", 8 + len(parameters), 196608) + parameters
    # "R" asks for a password or says none is needed; while it is starting up, the answer is an "E".
    return _ask(url, startup, 5432).startswith(b"R")


def http_answers(url: str) -> bool:
    return _ask(url, b"HEAD / HTTP/1.0\r\n\r\n", 80).startswith(b"HTTP/1.")


def _ask(url: str, question: bytes, default_port: int) -> bytes:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or default_port), timeout=1) as wire:
            wire.sendall(question)
            return wire.recv(16)
    except OSError:
        return b""
