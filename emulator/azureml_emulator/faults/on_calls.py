"""Faults of calls: what may become of one before its effect, or after it and before the answer."""

import asyncio
import time
from math import inf
from typing import Literal
from xml.sax.saxutils import escape

from aiohttp import web
from pydantic import Field, PrivateAttr

from azureml_emulator.arm.documents import Document, now
from azureml_emulator.faults.fault import OnCalls, alike, within
from azureml_emulator.faults.told import Told
from azureml_emulator.resources.azure import Azure
from azureml_emulator.resources.blobs import ACCOUNT

LOOK_SECONDS = 0.02  # between looks whether a client whose call is held is still there


class Disturbance(OnCalls):
    """Meets a call before its effect, or after it and before the answer."""

    when: Literal["before", "after"] = Field("before", description="before or after the call took effect.")

    async def disturb(self, request: web.Request) -> web.Response | None:
        """What is answered instead, None when the call goes on."""
        raise NotImplementedError


class Refuse(Told, Disturbance):
    """Answer with a status and Azure's error envelope; of blobs, with the Blob service's."""

    status: int = Field(503, ge=400, le=599, description="The HTTP status.")
    code: str = Field("InjectedFault", description="The error's code.")
    retry_after: int | None = Field(None, ge=0, description="Seconds in a Retry-After header; none without.")

    async def disturb(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        error = self.envelope(request.method, path)
        headers = {"x-ms-error-code": self.code}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.status == 401:
            headers["WWW-Authenticate"] = f'Bearer error="invalid_token", error_description="{error["message"]}"'
        if path.startswith(f"/{ACCOUNT}.blob."):
            return web.Response(text=_xml(error), status=self.status, headers=headers, content_type="application/xml")
        return web.json_response({"error": error}, status=self.status, headers=headers)


def _xml(error: Document) -> str:
    said = f"<Code>{escape(error['code'])}</Code><Message>{escape(error['message'])}\nTime:{now()}</Message>"
    return f'<?xml version="1.0" encoding="utf-8"?><Error>{said}</Error>'


class Delay(Disturbance):
    """Let the call go on after some seconds, or when the fault is cleared."""

    seconds: float = Field(1, ge=0, description="How long.")

    async def disturb(self, request: web.Request) -> None:
        await within(self.seconds, self._cleared)


class Part(Disturbance):
    """Answer a query of logs in part: without a row, and with an error that says so (azure-monitor/logs/api/errors)."""

    path: str = Field("*/query", description="Of the calls that match; * stands for any text.")

    async def disturb(self, request: web.Request) -> web.Response:
        error = {"code": "PartialError", "message": "There were some errors when processing your query."}
        return web.json_response({"tables": [{"name": "PrimaryResult", "columns": [], "rows": []}], "error": error})


class Drop(Disturbance):
    """Close the connection without an answer."""

    async def disturb(self, request: web.Request) -> web.Response:
        if request.transport:
            request.transport.abort()
        return web.Response()  # goes nowhere


class Hold(Disturbance):
    """Hold the call until the fault is cleared or the client goes away. `before`: then it never takes effect."""

    async def disturb(self, request: web.Request) -> web.Response | None:
        def gone() -> bool:
            return request.transport is None or request.transport.is_closing()

        call = f"{request.method} {request.rel_url.raw_path}"
        self._held.append(call)
        try:
            while not self._cleared.is_set() and not gone():
                await within(LOOK_SECONDS, self._cleared)
            await asyncio.sleep(LOOK_SECONDS)  # a client that went away just before the fault was cleared shows now
            return web.Response() if gone() else None
        finally:
            self._held.remove(call)


class Hide(OnCalls):
    """Let lists lack what they hold: each list that would show it counts once. A GET of the thing itself finds it."""

    method: Literal["GET", "POST"] = Field("GET", description="GET, or POST for a query of logs.")
    name: str = Field("*", description="The name of what is hidden; * stands for any text.")
    seconds: float = Field(0, ge=0, description="For how long from the first such list on; instead of `times`.")

    _ends: float = PrivateAttr(inf)

    @property
    def spent(self) -> bool:
        over = time.monotonic() > self._ends if self.seconds else super().spent
        return over or self._cleared.is_set()

    def matches(self, *subject: str) -> bool:
        method, path, name = subject
        return super().matches(method, path) and alike((name,), (self.name,))

    def hide(self) -> None:
        self._ends = min(self._ends, time.monotonic() + self.seconds)


class Lag(OnCalls):
    """Let metrics, or what `path` names, come so many minutes later than they do anyway."""

    times: int = Field(0, ge=0, description="How many calls; 0 is all until it is cleared.")
    path: str = Field("*/Microsoft.Insights/metrics", description="Of the calls that match; * stands for any text.")
    minutes: float = Field(10, ge=0, description="How many.")


class Turn(OnCalls):
    """Let a deployment, or the endpoint itself, read another state by itself, right before a matching call."""

    endpoint: str = Field(description="The endpoint's name.")
    deployment: str = Field("", description="The deployment's name; without one it is the endpoint.")
    state: Literal["Creating", "Updating", "Scaling", "Deleting", "Succeeded", "Failed", "Canceled"] = Field(
        "Failed", description="What it reads from then on, until somebody writes it."
    )

    def turn(self, azure: Azure) -> None:
        for scope in azure.scopes:
            azure.deployments.turn(scope, self.endpoint, self.deployment, self.state)
