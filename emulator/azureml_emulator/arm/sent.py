"""What the bodies of requests may hold: declared with pydantic, refused in its words."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import BadRequest
from azureml_emulator.arm.names import LOCATION

T = TypeVar("T")


def validated(validate: Callable[[Any], T], given: Any) -> T:
    """What one of pydantic's `validate` makes of it. Raises BadRequest: each problem behind the field's path."""
    try:
        return validate(given)
    except ValidationError as error:
        raise BadRequest("; ".join(map(_told, error.errors())), "InvalidRequestContent") from None


def _told(problem: ErrorDetails) -> str:
    tells = problem["type"] != "not_emulated" and isinstance(problem["input"], str | int | float)
    found = f", not {problem['input']!r}" if tells else ""
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}{found}"


def without_nulls(given: Any) -> Any:
    return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


def any_case(*values: str, absent: str = "") -> BeforeValidator:
    """ARM's enumerations ignore case, and come back as they are described (Azure/azureml-examples has `disabled`).

    `absent` is what Azure has besides them, and this hasn't.
    """
    known = {value.lower(): value for value in values}

    def spelt(given: Any) -> Any:
        if not isinstance(given, str):
            return given
        if given and given.lower() == absent.lower():
            raise _missing(absent)
        return known.get(given.lower().replace(" ", ""), given)

    return BeforeValidator(spelt)


def not_emulated(what: str) -> BeforeValidator:
    """Refuses a field that Azure has, and this hasn't."""

    def refuse(given: Any) -> Any:
        if given is not None:
            raise _missing(what)

    return BeforeValidator(refuse)


def not_emulated_but(what: str, known: str) -> BeforeValidator:
    """Refuses all types of something that Azure has, and this hasn't, but for the one that is `known`."""

    def refuse(given: Any) -> Any:
        if isinstance(given, str) and given != known:
            raise _missing(f"{what} of type {given}")
        return given

    return BeforeValidator(refuse)


def _missing(what: str) -> PydanticCustomError:
    return PydanticCustomError("not_emulated", "{what} isn't emulated", {"what": what})


Access = Annotated[Literal["Enabled", "Disabled"], any_case("Enabled", "Disabled")]
Texts = Annotated[dict[str, str | None], Field(default_factory=dict)]


def _as_arm_takes_them(tags: dict[str, str]) -> dict[str, str]:
    """azure-resource-manager/management/tag-resources; the words are ours."""
    if len(tags) > 50:
        raise PydanticCustomError("tags", "a resource has at most 50 tags, not {found}", {"found": len(tags)})
    if len({name.lower() for name in tags}) < len(tags):
        raise PydanticCustomError("tags", "two names are the same but for upper and lower case")
    for name, value in tags.items():
        if re.search(r"[<>%&\\?/\x00-\x1f]", name) or not 0 < len(name) <= 512:
            raise PydanticCustomError(
                "tags", "the name {name} is empty, too long, or has one of <>%&\\?/", {"name": name}
            )
        if len(value) > 256:
            raise PydanticCustomError("tags", "the value of {name} has more than 256 characters", {"name": name})
    return tags


Limits = AfterValidator(_as_arm_takes_them)
Tags = Annotated[dict[str, str], BeforeValidator(without_nulls), Limits, Field(default_factory=dict)]


class Sent(BaseModel):
    """A JSON object: no type is taken for another, null is as good as nothing, unknown fields are dropped."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel, serialize_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return without_nulls(given)


class Put(Sent, Generic[T]):
    properties: T


class Tagged(Sent):
    location: str = LOCATION
    tags: Tags


KINDS = any_case("SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None")


class Identity(Sent):
    type: Annotated[Literal["SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned", "None"], KINDS] = (
        "SystemAssigned"
    )
    user_assigned_identities: dict[str, Document | None] | None = None


class Tracked(Tagged, Put[T], Generic[T]):
    """The body of a PUT of an endpoint or a deployment."""

    kind: str = "Managed"
    identity: Identity | None = None

    def envelope(self) -> Document:
        """What is kept besides the properties."""
        return self.model_dump(exclude={"properties"}, exclude_none=True)
