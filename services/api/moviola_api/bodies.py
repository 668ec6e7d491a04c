"""JSON bodies, read strictly and of a bounded size."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict, JsonValue

from moviola import strict_json
from moviola.errors import FieldError, InvalidInput
from moviola_api.connection import ClientGone
from moviola_api.problems import Malformed, UnsupportedMediaType

JSON_TYPES = ("application/json", "application/merge-patch+json")


class RequestBody(BaseModel):
    """Base of all bodies; an unknown member is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


async def read_json(request: web.Request, *, optional: bool = False) -> dict[str, JsonValue]:
    """The members of the JSON object in the body; empty where there is no body and it is *optional*.

    ``Malformed`` (400) where it is not JSON, ``InvalidInput`` (422) where it is not an object.
    """
    if optional and not request.body_exists:
        return {}
    if request.content_type not in JSON_TYPES:
        raise UnsupportedMediaType("Send JSON, with the content type application/json.")
    try:
        value = strict_json.parse(await request.read())
    except ConnectionError as error:
        raise ClientGone("The client left while it was sending.") from error
    except InvalidInput as error:
        raise Malformed(str(error), error.errors, code=error.code) from error
    if not isinstance(value, dict):
        message = "The body must be a JSON object."
        raise InvalidInput(message, [FieldError("", message, "object")])
    return value
