"""What survives a restart: resources in one SQLite file, blob contents in files beside it."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from azureml_emulator.arm.errors import BadRequest

#: What the list of blobs, which is XML, could not hold, and what is a separator elsewhere.
ODD = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\\\\")
#: Expressions of SQL, in the words that make an index serve them: a version's number, and what lists are filtered by.
NUMBER = "CAST(substr(path, length(parent) + 2) AS INTEGER)"
ARCHIVED = "coalesce(json_extract(body, '$.properties.isArchived'), 0)"
STAGE = "coalesce(json_extract(body, '$.properties.stage'), '')"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS resources (path TEXT PRIMARY KEY, parent TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS children ON resources (parent);
CREATE INDEX IF NOT EXISTS numbers ON resources (parent, {NUMBER});
CREATE INDEX IF NOT EXISTS archived ON resources (parent, {ARCHIVED});
CREATE INDEX IF NOT EXISTS stages ON resources (parent, {STAGE});
CREATE INDEX IF NOT EXISTS active_stages ON resources (parent, {STAGE}, {ARCHIVED});
CREATE TABLE IF NOT EXISTS blobs (
  container TEXT, name TEXT, file TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL, metadata TEXT NOT NULL,
  PRIMARY KEY (container, name));
"""
LAST = "\U0010ffff"  # sorts behind all that a name may hold
PART = 1024 * 1024  # bytes of a blob that are in memory at once


@dataclass(frozen=True)
class Blob:
    """One blob: its name in the container, size in bytes, time of the last write (epoch) and `x-ms-meta-*` values.

    The headers that it is answered with, Content-Type and the like, stand among these: no name of metadata has a dash.
    """

    name: str
    path: Path
    size: int
    modified: float
    metadata: dict[str, str]

    def read(self, first: int = 0, last: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes from `first` to `last`, in parts; they are the same when another blob replaces this one meanwhile.

        Raises FileNotFoundError when that has happened already.
        """
        return _parts(self.path.open("rb"), first, (self.size if last is None else last + 1) - first)


@dataclass
class Content:
    """What a blob will be, on the disk already: bytes in `size`, and their MD5 in base64. `kept` once it is one."""

    path: Path
    size: int = 0
    md5: str = ""
    kept: bool = False


class Store:
    """Resources by path (`workspace/collection/name/…`) and blobs by container and name.

    A write survives the process as soon as its method, or the `transaction()` around it, returns. That it survives
    the machine is not promised: nothing here waits for the disk. The loop carries traffic, and beside a large model's
    upload a sync, or the end of a large file, takes seconds.
    """

    def __init__(self, folder: Path):
        self.contents = folder / "blobs"
        self.contents.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "state.sqlite", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(SCHEMA)
        self._sweep()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All the writes inside happen, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            raise

    def get(self, path: str) -> dict[str, Any] | None:
        row = self._db.execute("SELECT body FROM resources WHERE path = ?", (path,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, path: str, body: dict[str, Any]) -> None:
        upsert = "INSERT INTO resources VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET body = excluded.body"
        self._db.execute(upsert, (path, path.rpartition("/")[0], json.dumps(body)))

    def delete(self, path: str) -> None:
        """Removes the resource and everything below it."""
        below = (path, f"{path}/", f"{path}0")  # 0 comes next after the slash
        self._db.execute("DELETE FROM resources WHERE path = ? OR path > ? AND path < ?", below)

    def children(self, parent: str) -> list[dict[str, Any]]:
        """The resources directly below `parent`, oldest first."""
        rows = self._db.execute("SELECT body FROM resources WHERE parent = ? ORDER BY rowid", (parent,))
        return [json.loads(body) for (body,) in rows]

    def page(
        self,
        parent: str,
        skip: int,
        top: int,
        archived: bool | None = None,
        stage: str = "",
        oldest_first: bool = False,
    ) -> list[dict[str, Any]]:
        """Some of the resources directly below `parent`, newest first; nothing but these is read.

        `archived` takes those that are, or aren't, `stage` those in one; the newest is the one that was first put last.
        """
        wanted = {"parent": parent, ARCHIVED: archived, STAGE: stage or None}
        given = {name: value for name, value in wanted.items() if value is not None}
        where, order = " AND ".join(f"{name} = ?" for name in given), "ASC" if oldest_first else "DESC"
        query = f"SELECT body FROM resources WHERE {where} ORDER BY rowid {order} LIMIT ? OFFSET ?"  # noqa: S608 (constants)
        return [json.loads(body) for (body,) in self._db.execute(query, (*given.values(), top, skip))]

    def highest(self, parent: str) -> str | None:
        """The name of the resource directly below `parent` that is the highest number; of those that are none, any."""
        query = f"SELECT path FROM resources WHERE parent = ? ORDER BY {NUMBER} DESC LIMIT 1"  # noqa: S608 (a constant)
        row = self._db.execute(query, (parent,)).fetchone()
        return row[0].rpartition("/")[2] if row else None

    def everywhere(self, collection: str) -> list[dict[str, Any]]:
        """The members of every collection of that name, in all workspaces, oldest first."""
        there = "SELECT rowid FROM resources WHERE parent LIKE ?"  # which an index answers, without the bodies
        query = f"SELECT body FROM resources WHERE rowid IN ({there}) ORDER BY rowid"  # noqa: S608 (a constant)
        return [json.loads(body) for (body,) in self._db.execute(query, (f"%/{collection}",))]

    async def put_blob(self, container: str, name: str, parts: AsyncIterable[bytes], metadata: dict[str, str]) -> None:
        """Writes a blob as its parts come; until the last one has come, nobody sees it."""
        async with self.written(parts) as content:
            await self.keep_blob(container, name, content, metadata)

    @asynccontextmanager
    async def written(self, parts: AsyncIterable[bytes]) -> AsyncIterator[Content]:
        """A blob's content on the disk, to be kept under a name; where that fails it is gone."""
        content, digest = Content(self.contents / uuid.uuid4().hex), hashlib.md5(usedforsecurity=False)

        def write(part: bytes) -> None:
            digest.update(part)
            content.size += out.write(part)

        try:
            with content.path.open("wb") as out:
                async for part in parts:
                    await asyncio.to_thread(write, part)
            content.md5 = base64.b64encode(digest.digest()).decode()
            yield content
        finally:
            if not content.kept:
                content.path.unlink(missing_ok=True)

    async def keep_blob(self, container: str, name: str, content: Content, metadata: dict[str, str]) -> None:
        """Lets the content be that blob from now on."""
        check_blob_name(name)
        old = self.blob(container, name)
        row = (container, name, content.path.name, content.size, time.time(), json.dumps(metadata))
        self._db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)", row)
        content.kept = True
        if old:
            await asyncio.to_thread(old.path.unlink, missing_ok=True)

    def set_blob_metadata(self, container: str, name: str, metadata: dict[str, str]) -> None:
        change = "UPDATE blobs SET metadata = ?, modified = ? WHERE container = ? AND name = ?"
        self._db.execute(change, (json.dumps(metadata), time.time(), container, name))

    async def delete_blob(self, container: str, name: str) -> None:
        blob = self.blob(container, name)
        self._db.execute("DELETE FROM blobs WHERE container = ? AND name = ?", (container, name))
        if blob:
            await asyncio.to_thread(blob.path.unlink, missing_ok=True)

    def blob(self, container: str, name: str) -> Blob | None:
        where = "WHERE container = ? AND name = ?"
        row = self._db.execute(f"SELECT * FROM blobs {where}", (container, name)).fetchone()  # noqa: S608 (a constant)
        return self._blob(row) if row else None

    def blobs(self, container: str, prefix: str) -> list[Blob]:
        where = "WHERE container = ? AND name >= ? AND name < ? ORDER BY name"
        rows = self._db.execute(f"SELECT * FROM blobs {where}", (container, prefix, f"{prefix}{LAST}"))  # noqa: S608 (a constant)
        return [self._blob(row) for row in rows]

    async def expire(self, containers: str, before: float) -> None:
        """Deletes the blobs of all containers whose name begins so that were last written before then."""
        old = "SELECT container, name FROM blobs WHERE container >= ? AND container < ? AND modified < ?"
        for found in self._db.execute(old, (containers, f"{containers}{LAST}", before)).fetchall():
            await self.delete_blob(*found)

    async def export(self, container: str, folder: str, target: Path) -> None:
        """Copies the blobs below `folder`, or all in the container, to the directory `target`."""
        above = f"{folder.rstrip('/')}/" if folder else ""
        for blob in self.blobs(container, above):
            try:
                await asyncio.to_thread(_copy, blob.path, target / blob.name[len(above) :])
            except OSError as failure:
                raise BadRequest(f"The blob {blob.name} cannot be a file: {failure.strerror}.") from None

    def _blob(self, row: tuple[Any, ...]) -> Blob:
        _, name, file, size, modified, metadata = row
        return Blob(name, self.contents / file, size, modified, json.loads(metadata))

    def _sweep(self) -> None:
        """Removes the contents that a kill left without a row."""
        known = {file for (file,) in self._db.execute("SELECT file FROM blobs")}
        for path in self.contents.iterdir():
            if path.name not in known:
                path.unlink()


def check_blob_name(name: str) -> None:
    """A name becomes a path when a model is exported: nothing in it may lead out of its folder."""
    if ODD.search(name) or {"", ".", ".."} & set(name.split("/")) or len(name) > 1024:
        raise BadRequest(f"The blob name {name!r} is not valid.", "InvalidResourceName")


async def _parts(file: BinaryIO, first: int, size: int) -> AsyncIterator[bytes]:
    with file:
        file.seek(first)
        while size > 0 and (part := await asyncio.to_thread(file.read, min(PART, size))):
            size -= len(part)
            yield part


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as content, target.open("wb") as out:
        shutil.copyfileobj(content, out, PART)
