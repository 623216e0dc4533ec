"""What an error says: in Azure's own words, in those that were given, with the names in the call's path."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from azureml_emulator.arm.actions import needed
from azureml_emulator.arm.documents import Document
from azureml_emulator.arm.errors import envelope
from azureml_emulator.faults.arm_answers import ANSWERS

NAMES = ", ".join(ANSWERS)


def _known(name: str) -> str:
    if name and name not in ANSWERS:
        raise ValueError(f"must be one of {NAMES}")
    return name


def _details(value: Any) -> Any:
    """`CODE: message` as the one detail it stands for."""
    return [dict(zip(("code", "message"), value.split(": ", 1), strict=False))] if isinstance(value, str) else value


def _nested(value: Any) -> Any:
    """`OUTER/INNER` as the error in an error that it stands for."""
    for code in reversed(value.split("/") if isinstance(value, str) else ()):
        value = {"code": code, "innererror": value} if isinstance(value, dict) else {"code": code}
    return value


class Told(BaseModel):
    """An error: what `like` names, but for the fields that are given."""

    like: Annotated[str, AfterValidator(_known)] = Field("", description=f"What Azure says to it, one of {NAMES}.")
    code: str = Field("InternalServerError", description="The error's code.")
    message: str = Field("Somebody asked the local Azure ML to fail here.", description="The error's message.")
    details: Annotated[list[Document], BeforeValidator(_details)] = Field([], description="Like 'CODE: message'.")
    innererror: Annotated[Document, BeforeValidator(_nested)] = Field({}, description="Like OUTER/INNER.")

    @model_validator(mode="before")
    @classmethod
    def _as_azure_says(cls, given: Any) -> Any:
        if not isinstance(given, dict) or (like := str(given.get("like"))) not in ANSWERS:
            return given
        fields = {"code": like, **ANSWERS[like], **given}
        return {name: value for name, value in fields.items() if name in cls.model_fields or name in given}

    def error(self, method: str, path: str) -> Document:
        """What is said when this call is answered."""
        error = {"code": self.code, "message": self.message, "details": self.details, "innererror": self.innererror}
        parts = path.strip("/").split("/")
        action, scope = needed(method, path)
        known = {
            **dict(zip(parts[::2], parts[1::2], strict=False)),
            "path": path,
            "name": parts[-1],
            "verb": action.rpartition("/")[2],
            "action": action,
            "scope": scope,
        }
        text = json.dumps({name: value for name, value in error.items() if value})
        filled: Document = json.loads(re.sub(r"{(\w+)}", lambda found: known.get(found[1], found[0]), text))
        return {"message": "", **filled}

    def envelope(self, method: str, path: str) -> Document:
        """The same as its sender writes it."""
        return envelope(**self.error(method, path))
