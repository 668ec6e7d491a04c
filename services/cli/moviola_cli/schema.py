"""`moviola schema`: the recipe and every message as JSON Schema, the whole contract of the bus as AsyncAPI."""

import json
from typing import Annotated

import typer

from moviola_cli.outcome import BadUse


def schema(
    name: Annotated[
        str | None,
        typer.Argument(help="`asyncapi`, `recipe`, or a message's type such as `task.render`. [default: all schemas]"),
    ] = None,
) -> None:
    """Print the JSON Schema of recipes and messages, or the contract of the bus as AsyncAPI 3."""
    from pydantic import BaseModel

    from moviola import __version__
    from moviola.asyncapi import asyncapi_document
    from moviola.messages import MESSAGES
    from moviola.recipe import Recipe

    if name == "asyncapi":
        typer.echo(json.dumps(asyncapi_document(__version__), indent=2))
        return
    models: dict[str, type[BaseModel]] = {"recipe": Recipe, **MESSAGES}
    if name is not None and name not in models:
        raise BadUse(f"There is no schema {name!r}; there are asyncapi, {', '.join(models)}.")
    schemas = {key: model.model_json_schema() for key, model in models.items() if name in (None, key)}
    typer.echo(json.dumps(schemas[name] if name is not None else schemas, indent=2))
