"""`moviola schema`: the recipe and every message as JSON Schema."""

import json
from typing import Annotated

import typer

from moviola_cli.outcome import BadUse


def schema(
    name: Annotated[
        str | None, typer.Argument(help="`recipe`, or a message's type such as `task.render`. [default: all]")
    ] = None,
) -> None:
    """Print the JSON Schema of recipes and messages."""
    from pydantic import BaseModel

    from moviola.messages import MESSAGES
    from moviola.recipe import Recipe

    models: dict[str, type[BaseModel]] = {"recipe": Recipe, **MESSAGES}
    if name is not None and name not in models:
        raise BadUse(f"There is no schema {name!r}; there are {', '.join(models)}.")
    schemas = {key: model.model_json_schema() for key, model in models.items() if name in (None, key)}
    typer.echo(json.dumps(schemas[name] if name is not None else schemas, indent=2))
