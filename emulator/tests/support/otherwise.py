"""`python -m tests.support.otherwise`: an emulator that answers otherwise in five places, to be found."""

import json
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from azureml_emulator import emulator
from azureml_emulator.__main__ import main
from azureml_emulator.api.server import Server


def planted(method: str, path: str, status: int, body: Any) -> tuple[int, Any]:
    """The answer as this one gives it."""
    if method == "GET" and status == 404 and path.endswith("/deployments/none"):
        return 410, body
    if method == "GET" and status == 404 and "/onlineEndpoints/" in path:
        body["error"]["code"] = "Gone"
    elif path.endswith("/listKeys"):
        del body["secondaryKey"]
    elif path.endswith("/getLogs"):
        body["content"] = 7
    elif path.endswith("/deployments/green") and method == "GET":
        body["properties"]["colour"] = "blue"
    return status, body


@web.middleware
async def otherwise(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    if not (isinstance(answer, web.Response) and answer.content_type == "application/json" and answer.body):
        return answer
    status, body = planted(request.method, request.path, answer.status, json.loads(answer.body))  # type: ignore[arg-type]  # bytes
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return web.Response(text=json.dumps(body), status=status, headers=headers)


class Otherwise(Server):
    def __init__(self, azure: Any, base: str, around: Any = ()):
        super().__init__(azure, base, [*around, otherwise])


if __name__ == "__main__":
    emulator.Server = Otherwise  # type: ignore[misc]
    main()
