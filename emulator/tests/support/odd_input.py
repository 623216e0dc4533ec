"""Strategies for odd input: values, names, headers, queries, and documents made of valid ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

NUMBERS = [0, -1, 1.5, 2**31, 10**40, -(10**4000), 1e308, float("nan"), float("inf"), True]
TEXTS = [
    "", " ", "\x00", "\ud800", "\ufffe", "\u202e", "\u017f", "../..", "a" * 300, "PT0S", "P1Y", "Key", "null", "%00",
]  # fmt: skip
HEADERS = [
    (name, value)
    for name, values in {
        "Accept-Encoding": ["*;q=0"],
        "Authorization": ["", "Bearer", "Bearer \udcff", "Bearer a.b.c", "Basic eDp5"],
        "Content-Encoding": ["br", "gzip", "klingon"],
        "Content-Type": ["", "multipart/form-data", "text/plain; charset=klingon"],
        "Cookie": ["a=b; ="],
        "Expect": ["100-continue", "the worst"],
        "If-None-Match": ["*"],
        "Range": ["bytes=1-0"],
        "Transfer-Encoding": ["gzip, chunked"],
        "Upgrade": ["websocket"],
        "X-HTTP-Method-Override": ["DELETE"],
        "X-IDENTITY-HEADER": ["\udcff"],
        "azureml-model-deployment": ["\udcff", "a\tb", "none"],
        "x-ms-blob-type": ["BlockBlob", "PageBlob"],
        "x-ms-meta-": ["a"],
        "x-ms-meta-a": ["\udcff", "\u00fc"],
        "x-ms-meta-a<b": ["c"],
        "x-ms-range": ["\udcff", "bytes=-1", "bytes=0-0", "bytes=5-2", "bytes=9-99999999999999999"],
        "x-request-id": ["\u00fc", "a" * 4000],
    }.items()
    for value in values
]
NAMES = [
    "..", "%2e%2e", "a%2Fb", "%00", "%0a", "%ff", "%ED%A0%80", "a" * 33, "9" * 5000, "a%20b", "~", "*", ";a=b", "a:b",
]  # fmt: skip
KNOWN_NAMES = ["fuzzed", "default", "toy", "1", "workspaceblobstore"]
QUERY_NAMES = [
    "$top", "$skip", "$orderBy", "listViewType", "api-version", "comp", "blockid", "prefix", "delimiter", "resource",
    "marker", "maxresults", "include", "count", "isDefault",
]  # fmt: skip
QUERY_VALUES = ["0", "1", "-1", "9" * 5000, "list", "block", "blocklist", "metadata", "/", "All", "\ud800"]
BYTES = [
    b"", b"\0", b"\r\n", b"\r\n\r\n", b"\n", b" ", b":", b"\xff", b"%", b"//", b"?", b"#", b"Content-Length: 0\r\n",
    b"HTTP/9.9", b"Transfer-Encoding: chunked\r\n", b"5;a=b\r\nabcde\r\n0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"a" * 9000,
]  # fmt: skip
METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]

texts = st.sampled_from(TEXTS) | st.text(max_size=8)
values: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.sampled_from(NUMBERS), texts, st.sampled_from([[], {}, [{}], {"": None}, {"\ud800": {"a": [1]}}])
)
names = st.sampled_from(KNOWN_NAMES + NAMES) | st.text(max_size=6).map(
    lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")
)
headers = st.lists(st.sampled_from(HEADERS), max_size=3).map(dict)
queries = st.dictionaries(st.sampled_from(QUERY_NAMES), st.sampled_from(QUERY_VALUES) | texts, max_size=3).map(
    lambda query: urlencode(query, errors="surrogatepass")
)
methods = st.sampled_from(METHODS)


@st.composite
def mutations(draw: st.DrawFn, valid: Any) -> Any:
    """The document with one to three of its values replaced, left out or joined by another."""
    document = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_places(document)) or [(document, "a")]))
        change = draw(st.integers(0, 5)) if isinstance(holder, dict) else 5
        if change == 0:
            holder[draw(texts)] = copy.deepcopy(draw(values))
        elif change == 1:
            holder.pop(key, None)
        else:
            holder[key] = copy.deepcopy(draw(values))
    return document


@st.composite
def bodies(draw: st.DrawFn, valid: Any) -> bytes:
    """A mutated document as JSON, one in four of them spoiled as a text."""
    text = json.dumps(draw(mutations(valid)), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    spoiled = [
        b"\xff",
        text[: len(text) // 2],
        text + b"\x00",
        b"\xef\xbb\xbf" + text,
        text.decode("utf-8", "replace").encode("utf-16"),
        text.replace(b": ", b': 1e999, "x": ', 1),
        b'{"properties": null, ' + text[1:-1] + b', "properties": {"authMode": "Key"}}',
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"1" * 5000,
    ]
    return draw(st.sampled_from(spoiled)) if draw(st.integers(0, 3)) == 0 else text


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)
