"""Faults from outside: a client of the control route."""

import json
from pathlib import Path
from typing import Any

import requests

from azureml_emulator.arm.documents import Document
from azureml_emulator.faults.control import FILE


class Faults:
    """The faults and the record of calls of the emulator whose state folder it is. Raises ValueError when refused."""

    def __init__(self, state: Path):
        control = json.loads((state / FILE).read_text(encoding="utf-8"))
        self._url = control["url"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(state / "ca.pem")
        self._session.headers["Authorization"] = f"Bearer {control['key']}"

    def add(self, kind: str, **fields: Any) -> Document:
        """Adds a fault; answers it with its `id`."""
        return self._call("POST", "faults", {"kind": kind, **fields})

    def all(self) -> list[Document]:
        return list(self._call("GET", "faults")["value"])

    def get(self, number: int, wait: float = 0) -> Document:
        """One fault; not before it has met something, unless `wait` seconds are over."""
        return self._call("GET", f"faults/{number}?wait={wait}")

    def clear(self, number: int | None = None) -> None:
        """Clears one fault or all of them; what they hold goes on."""
        self._call("DELETE", "faults" if number is None else f"faults/{number}")

    def calls(self) -> list[Document]:
        """The last calls since `forget`, oldest first: method, path and time (epoch)."""
        return list(self._call("GET", "calls")["value"])

    def forget(self) -> None:
        """Starts the record of calls anew."""
        self._call("DELETE", "calls")

    def _call(self, method: str, path: str, body: Document | None = None) -> Document:
        answer = self._session.request(method, f"{self._url}/{path}", json=body, timeout=90)
        if not answer.ok:
            raise ValueError(answer.json()["error"]["message"])
        return dict(answer.json()) if answer.content else {}
