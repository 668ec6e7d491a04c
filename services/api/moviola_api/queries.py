"""The query of an address, read strictly."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from moviola.errors import InvalidInput
from moviola.recipe import field_errors

Model = TypeVar("Model", bound=BaseModel)


class Query(BaseModel):
    """Base of all queries; an unknown parameter is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The address's parameters; ``InvalidInput`` with a pointer to each bad one."""
    return checked(model, dict(request.query))


def checked(model: type[Model], value: object) -> Model:
    """*value* as a *model*; ``InvalidInput`` with a pointer to each bad field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = field_errors(error)
        raise InvalidInput(f"{errors[0].pointer}: {errors[0].message}", errors) from error
