"""Why a container did not start, as its log says it."""

from __future__ import annotations

import pytest

from scripts.lib.decisions.log_reason import HEAD, headline, reason

INIT = """2026-11-27 00:51:39,063 E [7] azmlinfsrv - User's init function failed"""
FIRST = f"""2026-11-27 00:51:39,064 E [7] azmlinfsrv - Encountered Exception {HEAD}
  File "score.py", line 6, in init
    import azureml.ai
ModuleNotFoundError: No module named 'azureml.ai'"""
WRAPPER = f"""
The above exception was the direct cause of the following exception:

{HEAD}
  File "user_script.py", line 121, in invoke_init
    raise UserScriptException(ex) from ex
azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception"""
IMPORT = WRAPPER.replace("UserScript", "UserScriptImport")
LISTING = "\n".join(f"2026-11-27 00:51:39,064 I [7] azmlinfsrv -     file-{number}.bin" for number in range(3000))
SERVER = f"""[2026-11-27 00:51:39 +0000] [6] [ERROR] Worker (pid:7) exited with code 3
{HEAD}
  File "gunicorn/arbiter.py", line 1, in run
    self.halt()
gunicorn.errors.HaltServer: <HaltServer 'Worker failed to boot.' 3>"""
MESSAGE = f"""{HEAD}
  File "model.py", line 1, in load
    check(frame)
mlflow.exceptions.MlflowException: the schema differs:
- a
- b
INFO:root:bye"""
KILLED = "starting\nloading weights\nKilled\n" + LISTING


@pytest.mark.parametrize(
    ("log", "first", "last", "named"),
    [
        (
            "\n".join((INIT, FIRST, LISTING)),
            HEAD,
            "No module named",
            "ModuleNotFoundError: No module named 'azureml.ai'",
        ),
        ("\n".join((INIT, FIRST, WRAPPER, "", LISTING)), HEAD, "UserScriptException: Caught", "ModuleNotFoundError"),
        ("\n".join((INIT, FIRST, IMPORT, "", LISTING)), HEAD, "ImportException: Caught", "ModuleNotFoundError"),
        ("\n".join((INIT, FIRST, LISTING, SERVER)), HEAD, "No module named", "ModuleNotFoundError"),
        ("\n".join((FIRST, LISTING, FIRST.replace("ai'", "core'"))), HEAD, "azureml.core'", "ModuleNotFoundError"),
        (SERVER, HEAD, "HaltServer", "gunicorn.errors.HaltServer"),
        (MESSAGE, HEAD, "- b", "mlflow.exceptions.MlflowException: the schema differs:"),
        (WRAPPER, HEAD, "UserScriptException: Caught", "azureml_inference_server_http"),
        (KILLED, "Killed", "file-18.bin", "Killed"),
        (LISTING, "file-2980.bin", "file-2999.bin", "2026"),
        ("", "", "", ""),
        (HEAD, HEAD, HEAD, HEAD),
    ],
    ids=[
        "alone",
        "wrapped",
        "wrapped while importing",
        "server's",
        "again",
        "only the server's",
        "message",
        "cut",
        "killed",
        "none",
        "empty",
        "end",
    ],
)
def test_the_reason_is_found_by_content(log: str, first: str, last: str, named: str) -> None:
    """The last traceback that says something, with those it followed, wherever it stands; else the last error."""
    lines = reason(log)

    assert first in "".join(lines[:1])
    assert last in "".join(lines[-1:])
    assert headline(lines).startswith(named)
