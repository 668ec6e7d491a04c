"""The contract of the bus, served."""

import json
import subprocess
import sys
from pathlib import Path

from moviola import __version__
from moviola.asyncapi import asyncapi_document
from tests.unit.moviola_api.conftest import Api


async def test_the_contract_that_is_served_is_the_codes(api: Api) -> None:
    assert await api.get("/asyncapi.json") == json.loads(json.dumps(asyncapi_document(__version__)))


def test_the_command_prints_the_same() -> None:
    command = [str(Path(sys.executable).parent / "moviola"), "schema", "asyncapi"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert json.loads(printed) == json.loads(json.dumps(asyncapi_document(__version__)))
