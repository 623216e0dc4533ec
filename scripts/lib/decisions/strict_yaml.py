"""A YAML file as a person meant it: what YAML would pass over silently, or guess, is refused with file and line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from scripts.lib.decisions.state import Refused

MOST = 10_000  # nodes, aliases written out: a settings file has tens, a "billion laughs" has more than any machine
Path = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A mapping, how each of its scalars is spelt (what YAML reads as 8 may be written `010`), and where keys stand."""

    content: dict[str, Any]
    spelling: dict[Path, str] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)

    def without(self, *keys: str) -> Document:
        """The same without some keys of the mapping."""
        content = {key: value for key, value in self.content.items() if key not in keys}
        return Document(content, {path: spelt for path, spelt in self.spelling.items() if path[0] not in keys})


def parse(raw: bytes, file: str) -> Document:
    """The one mapping of a file. Raises Refused where it is none; `file` is its name for people."""
    try:
        loader = yaml.SafeLoader(raw.decode("utf-8-sig"))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            kind = "empty" if node is None else "no mapping"
            raise Refused(f"{file} is {kind}: it must hold lines like `name: value`.")
        lines: dict[Path, int] = {}
        spelling = dict(_scalars(node, file, lines))
        return Document(dict(loader.construct_document(node)), spelling, lines)
    except UnicodeDecodeError as error:
        raise Refused(f"{file} is not UTF-8 (byte {error.start + 1}): save it in the encoding UTF-8.") from error
    except RecursionError as error:
        raise Refused(f"{file} is nested too deeply to be meant so.") from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:  # the last three: `!!int x`, 2026-02-30
        raise Refused(f"{file} is not YAML: {_where(error)}{_why(error)}") from error


def _scalars(top: yaml.Node, file: str, lines: dict[Path, int]) -> Iterator[tuple[Path, str]]:
    """Each scalar's place and spelling, and the keys' `lines`.

    Raises Refused for keys that stand twice, or are no texts, and for circles.
    """
    stack: list[tuple[yaml.Node, Path, frozenset[int]]] = [(top, (), frozenset())]
    for _ in range(MOST):
        if not stack:
            return
        node, path, above = stack.pop()
        if id(node) in above:
            raise Refused(f"{file}, line {_line(node)}: the alias of `{'.'.join(path)}` holds itself: write it out.")
        if isinstance(node, yaml.ScalarNode):
            yield path, node.value
        elif isinstance(node, yaml.SequenceNode):
            stack += [(item, (*path, str(number)), above | {id(node)}) for number, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            _check_keys(node, file)
            lines |= {(*path, key.value): _line(key) for key, _ in node.value}
            stack += [(value, (*path, key.value), above | {id(node)}) for key, value in node.value]
    raise Refused(f"{file} has more than {MOST} values with its aliases written out: write what you mean without them.")


def _check_keys(node: yaml.MappingNode, file: str) -> None:
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
            spelt = getattr(key, "value", "")
            write = f'write "{spelt}"' if isinstance(spelt, str) else "write a word"
            raise Refused(f"{file}, line {_line(key)}: the key {spelt or '?'} is no text: {write}.")
    twice = [name for name, times in Counter(key.value for key, _ in node.value).items() if times > 1]
    if twice:
        lines = [str(_line(key)) for key, _ in node.value if key.value == twice[0]]
        raise Refused(f"{file}: `{twice[0]}` stands twice, in the lines {', '.join(lines)}: keep one of them.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark else ""


def _why(error: Exception) -> str:
    """The parser's words, and what they mean where people can't know."""
    said = " ".join(str(getattr(error, "problem", None) or error).split())
    if "'\\t'" in said:
        return "it is indented with a tab: write spaces."
    if "but found another document" in said:
        return "a second document begins with `---`: one file holds one."
    if tag := re.search(r"constructor for the tag '(?:tag:yaml.org,2002:)?(.+)'", said):
        return f"the tag !{tag[1].lstrip('!')} is not allowed here: write the value itself."
    return f"{said}."
