"""The inside of an instance: Microsoft's inference server under gunicorn, over scoring.py.

Its own launcher binds every interface; this one takes a loopback socket that is already listening.
"""

import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

WORKER_TIMEOUT = 300  # seconds a prediction may take before gunicorn kills the worker; Microsoft's own default
FAULT = "x-emulator-fault"  # from the router alone: what a fault of this deployment wants of a request, as JSON
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def serve(listener: socket.socket, model: Path, log: Path, variables: Mapping[str, str]) -> None:
    """Answer POST /score and GET / on `listener` from the MLflow model under `model` until told to stop.

    Runs in a process of its own, which leads a process group. Everything printed is appended to `log`; the model finds
    the deployment's environment `variables`.
    """
    os.setsid()  # Ctrl-C in the emulator's terminal is the emulator's to handle: it drains first
    _write_to(log)
    _set_environment(model, variables)
    _Server(listener.fileno()).run()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("bind", f"fd://{self.descriptor}")
        self.cfg.set("workers", 1)
        self.cfg.set("timeout", WORKER_TIMEOUT)
        self.cfg.set("proc_name", "instance")
        self.cfg.set("post_fork", lambda _master, _worker: _end_with_parent())

    def load(self) -> Any:
        import azureml_inference_server_http.server.config  # noqa: F401  # sets up logging, so it comes first

        # There is no Application Insights here, and its client complains about not finding Azure's folder names.
        logging.getLogger("azmlinfsrv.trace").setLevel(logging.CRITICAL)
        _let_mlflow_speak()
        from azureml_inference_server_http.server.entry import app

        return _Misbehaving(app)


class _Misbehaving:
    """The app, after or instead of what a request's fault (`{seconds, crash, status}`) wants."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        fault = json.loads(environ.get(f"HTTP_{FAULT.upper().replace('-', '_')}", "{}"))
        time.sleep(fault.get("seconds", 0))
        if fault.get("crash"):
            os.killpg(0, signal.SIGKILL)
        if not fault.get("status"):
            return self._app(environ, start_response)
        environ["wsgi.input"].read()
        start_response(f"{fault['status']} Injected", [("Content-Type", "text/plain")])
        return [b"Somebody asked the local Azure ML to fail here."]


def _let_mlflow_speak() -> None:
    """It warns of packages and a Python that differ from the model's. It was imported first here, so that was lost."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.partition(".")[0] == "mlflow" and isinstance(logger, logging.Logger):
            logger.disabled = False


def _end_with_parent() -> None:
    """Kill the whole process group as soon as the emulator is gone, even by `kill -9`."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _write_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def _set_environment(model: Path, variables: Mapping[str, str]) -> None:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()  # the model is somebody else's code: it gets none of the emulator's secrets
    os.environ.update({**kept, **variables})
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["AML_APP_ROOT"] = str(files("azureml_emulator.serving"))
    os.environ["AZUREML_ENTRY_SCRIPT"] = "scoring.py"
    os.environ["AZUREML_MODEL_DIR"] = str(model)
    os.environ["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{version('azureml-inference-server-http')}"
