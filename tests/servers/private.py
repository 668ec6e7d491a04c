"""Servers as private processes on random ports of 127.0.0.1, from the binaries that are installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers.processes import ChildProcess, own_folder
from tests.servers.readiness import http_answers, postgresql_answers, rabbitmq_answers, redis_answers
from tests.servers.server import MissingServer, Server, wait_until


class PrivateServer:
    """*process* is the server; *helpers* are started before it and live until ``close``."""

    def __init__(
        self,
        name: str,
        url: str,
        folder: Path,
        process: ChildProcess,
        *,
        answers: Callable[[str], bool],
        helpers: Sequence[ChildProcess] = (),
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        self.url = url
        self._name = name
        self._folder = folder
        self._process = process
        self._answers = answers
        self._helpers = tuple(helpers)
        self._stop_signal = stop_signal

    def start(self) -> None:
        self._process.resume()
        if not self._process.running():
            for helper in self._helpers:
                if not helper.running():
                    helper.start()
            self._process.start()
        try:
            wait_until(lambda: self._answers(self.url), within=240, alive=self._process.running, what=self._name)
        except RuntimeError as error:
            raise RuntimeError(f"{error}:\n{self._process.log()}") from error

    def stop(self) -> None:
        self._process.stop(self._stop_signal)

    def kill(self) -> None:
        self._process.kill()

    def pause(self) -> None:
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def close(self) -> None:
        for process in (self._process, *self._helpers):
            process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def private_rabbitmq() -> Server:
    """A node of its own with its own epmd; started as Debian's wrapper would not, which changes the user."""
    binary = _binary("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
    folder = own_folder("rabbitmq")
    port, distribution, epmd = free_ports(3)
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.file.level = warning\n")
    (folder / "enabled_plugins").write_text("[].\n")
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"moviola-test-{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        # Idle schedulers spin for a while by default, which takes the processor from the tests.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
        "-kernel inet_dist_use_interface {127,0,0,1}",
        # Then the script becomes the node, instead of staying as its parent.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
    # Its own epmd as our own child: the node would start one that outlives everybody.
    daemon = ChildProcess([_binary("epmd"), "-port", str(epmd), "-address", "127.0.0.1"], folder)
    node = ChildProcess([binary], folder, environment=environment)
    url = f"amqp://guest:guest@127.0.0.1:{port}/"
    return PrivateServer("RabbitMQ", url, folder, node, answers=rabbitmq_answers, helpers=[daemon])


def private_redis() -> Server:
    binary = _binary("redis-server")
    folder = own_folder("redis")
    (port,) = free_ports(1)
    process = ChildProcess(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)],
        folder,
    )
    return PrivateServer("Redis", f"redis://127.0.0.1:{port}/0", folder, process, answers=redis_answers)


def private_postgresql() -> Server:
    """It refuses to run as root, so root runs it as the user of the package, or as nobody."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    binary = _binary("postgres", *map(str, reversed(installed)))
    user = _unprivileged_user() if os.getuid() == 0 else ""
    folder = own_folder("postgresql", user)
    (port,) = free_ports(1)
    data = folder / "data"
    initialise = [str(Path(binary).with_name("initdb")), "-D", str(data), "-U", "moviola", "-A", "trust"]
    subprocess.run(
        [*initialise, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
        check=True, capture_output=True, cwd=folder, user=user or None,
    )  # fmt: skip
    # A killed server loses nothing without fsync, only a killed machine does. Commits stay synchronous.
    options = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "",
        "fsync": "off", "full_page_writes": "off", "max_connections": 100,
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    process = ChildProcess([binary, "-D", str(data), *arguments], folder, user=user)
    return PrivateServer(
        "PostgreSQL",
        f"postgresql://moviola:moviola@127.0.0.1:{port}/postgres",
        folder,
        process,
        answers=postgresql_answers,
        stop_signal=signal.SIGINT,  # "fast": it does not wait for its clients
    )


def private_s3() -> Server:
    folder = own_folder("s3")
    (port,) = free_ports(1)
    process = ChildProcess([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder)
    return PrivateServer("S3 (moto)", f"http://127.0.0.1:{port}", folder, process, answers=http_answers)


def _binary(name: str, *places: str) -> str:
    for place in places:
        if os.access(place, os.X_OK):
            return place
    found = shutil.which(name)
    if found is None:
        raise MissingServer(f"no {name} is installed")
    return found


def _unprivileged_user() -> str:
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


def free_ports(count: int) -> list[int]:
    """Ports that are free now; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
