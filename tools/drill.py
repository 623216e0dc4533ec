"""`make drill`: runs all drills, or those of one part of the files that have any, the same on every machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PYTEST = [sys.executable, "-m", "pytest", "-m", "drill", "--numprocesses", "3", "--timeout", "900"]
SESSIONS = ["", "emulator"]  # the folders that pytest runs in


def files(session: str, shard: str = "1/1") -> list[str]:
    """The test files of a session that are in a part, `2/4` for example."""
    if not re.fullmatch("[1-9]/[1-9]", shard) or shard[0] > shard[2]:
        sys.exit(f"SHARD={shard} is no part of the drills, like 2/4.")
    having = [path for path in Path(session, "tests").rglob("test_*.py") if "mark.drill" in path.read_text("utf-8")]
    return sorted(str(path.relative_to(session)) for path in having)[int(shard[0]) - 1 :: int(shard[2])]


def main(shard: str) -> None:
    """Runs what there is to its end. Exits with 1 when a drill failed, or there is none in any part."""
    sessions = [(session, found) for session in SESSIONS if (found := files(session, shard))]
    results = [subprocess.run([*PYTEST, *found], cwd=session or None, check=False) for session, found in sessions]
    none = not any(files(session) for session in SESSIONS)
    sys.exit(none or any(result.returncode for result in results))


if __name__ == "__main__":
    main(sys.argv[1])
