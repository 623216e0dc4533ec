"""The control route, off Azure's paths: add, list and clear faults, read the record of calls."""

import hmac
import json
import re
import secrets
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel, Field

from azureml_emulator.arm.errors import NotFound, Unauthorized
from azureml_emulator.arm.messages import json_object
from azureml_emulator.arm.sent import validated
from azureml_emulator.faults.injection import PREFIX, Injection
from azureml_emulator.faults.kinds import parse
from azureml_emulator.private import open_private

FILE = "control.json"
NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class Waiting(BaseModel):
    wait: float = Field(0, ge=0, le=60)  # seconds


class Control:
    """The routes below /emulator over one Injection; `key` is made anew at every start."""

    def __init__(self, injection: Injection):
        self._injection, self._faults = injection, injection.faults
        self.key = secrets.token_urlsafe(32)
        self.app = web.Application(client_max_size=64 * 1024)
        self.app.router.add_route("*", r"/{path:.*}", self._answer)
        self.app.on_shutdown.append(self._release)

    def write(self, state: Path, base: str) -> None:
        """Leaves address and key in the state folder, for its owner alone."""
        with open_private(state / FILE, "w") as out:
            json.dump({"url": base + PREFIX.rstrip("/"), "key": self.key}, out)

    async def _answer(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
            raise Unauthorized(f"The control route takes the key in {FILE} of the state folder.")
        what, _, id = request.match_info["path"].partition("/")
        match request.method, what, int(id) if NUMBER.fullmatch(id) else id:
            case "POST", "faults", "":
                self._faults.add(fault := parse(json_object(await request.read())))
                return web.json_response(fault.document, status=201)
            case "GET", "faults", "":
                return web.json_response({"value": [fault.document for fault in self._faults.values()]})
            case "GET", "faults", int(number):
                fault = self._faults[number]
                await fault.until_met(validated(Waiting.model_validate, dict(request.query)).wait)
                return web.json_response(fault.document)
            case "DELETE", "faults", "":
                self._faults.clear()
            case "DELETE", "faults", int(number):
                self._faults.clear(number)
            case "GET", "calls", "":
                record = {"count": self._injection.count, "value": list(self._injection.calls)}
                return web.json_response(record)
            case "DELETE", "calls", "":
                self._injection.forget()
            case _:
                raise NotFound(f"There is no {request.method} {request.path} here.")
        return web.Response(status=204)

    async def _release(self, _app: web.Application) -> None:
        """No call is held past the end."""
        self._faults.clear()
