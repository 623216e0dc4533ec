"""`make mutants`: breaks each pure decision in one place at a time, and wants its tests to notice.

Comparisons, and/or, not, numbers, branches, returned values, raised errors and calls are broken; texts are not. A
mutant that survives needs its reason in survivors.yml. The last line is the score; below 95 % the command fails.
With ONLY=authors, or several, it is these modules alone.
"""

from __future__ import annotations

import ast
import copy
import importlib
import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hypothesis
import pytest
import yaml

DECISIONS = "scripts/lib/decisions"
ROLLOUTS = ["roles", "deploying", "shift", "way_back", "approval", "decision_edges", "rollouts"]
CANARY = ["canary_subject", "canary_bets", "canary_verdict"]
CONTRACT = ["contract", "request_fit"]
TESTS = {  # of a pure decision: the tests that are about it, the nearest first
    "approval": ["approval", *ROLLOUTS],
    "deploying": ["deploying", *ROLLOUTS],
    "record": ROLLOUTS,
    "roles": ROLLOUTS,
    "situation": ["decision_edges"],
    "state": ROLLOUTS,
    "traffic": ["shift", *ROLLOUTS],
    "way_back": ["way_back", *ROLLOUTS],
    "expectations": ["expectations", "predictions"],
    "metrics": ["metrics", "approval", "compare_models"],
    "model_folder": ["model_folder", "lfs"],
    "model_tags": ["model_tags", "approval", "compare_models"],
    "predictions": ["predictions"],
    "request_fit": ["request_fit"],
    "requests": ["requests"],
    "authors": ["authors", "check_approval"],
    "tags": ["tags"],
    "canary/betting": CANARY,
    "canary/comparing": CANARY,
    "canary/dispersion": CANARY,
    "canary/figures": CANARY,
    "canary/outlook": CANARY,
    "canary/policy": ["canary_policy"],
    "canary/points": ["canary_points", "watching"],
    "canary/subject": ["canary_subject"],
    "canary/verdict": CANARY,
    "words": CANARY,
    "lfs": ["lfs"],
    **dict.fromkeys(["answers", "contract", "model_example", "number_types", "signature"], CONTRACT),
}  # not what is tested only through files and Azure
TARGETS = {  # file: the tests that are about it
    **{
        f"{DECISIONS}/{name}.py": [f"tests/scripts/test_{test}.py" for test in dict.fromkeys(tests)]
        for name, tests in TESTS.items()
    },
    "scripts/lib/github/required_reviewers.py": ["tests/scripts/test_check_approval.py"],
    "scripts/lib/github/again.py": ["tests/scripts/test_github_again.py"],
    "scripts/lib/cli/exit_codes.py": ["tests/scripts/test_exit_codes.py"],
    "model/train.py": ["tests/model/heart/test_train.py::test_gate_is_open_from_min_auc_on"],
}
ONLY = {"model/train.py": "check:"}  # the rest of it is no decision
OPTIONS = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
OPTIONS += ["-o", "timeout=60"]  # pytest's own would be 300, and takes the alarm's place
REASONS = Path(__file__).with_name("survivors.yml")
SECONDS, WANTED = 120, 95  # for one mutant's tests; per cent
OTHERS: dict[type[ast.AST], list[type[ast.AST]]] = {
    **{ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In]},
    **{ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.And: [ast.Or], ast.Or: [ast.And]},
    **{ast.Lt: [ast.LtE, ast.GtE], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.LtE], ast.GtE: [ast.Gt, ast.Lt]},
    **{ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.BitOr: [ast.BitAnd], ast.BitAnd: [ast.BitOr]},
}


class Quick:
    """Leaves out what is tested against Azure: that would take minutes for each mutant."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if "azure" not in getattr(item, "fixturenames", ())]


@dataclass(frozen=True)
class Mutant:
    """`name` says where and how it is broken, whatever the line's number; `source` is the whole module."""

    file: str
    name: str
    source: str


def broken(node: ast.AST) -> Iterator[ast.AST]:
    """What to put in a node's place, one at a time."""
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.If(test=test) | ast.IfExp(test=test) if ast.unparse(test) != "TYPE_CHECKING":
            for decided in (True, False):
                changed = copy.copy(node)
                changed.test = ast.Constant(decided)
                yield changed
        case ast.comprehension(ifs=[_, *_]):
            yield ast.comprehension(node.target, node.iter, [], node.is_async)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, (ast.Constant, ast.JoinedStr)):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case _:
            yield from (other() for other in OTHERS.get(type(node), []))


def places(node: ast.AST) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    """Each node that a node holds, with how to put another in its place."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                put = partial(value.__setitem__, index) if isinstance(value, list) else partial(setattr, node, field)
                yield child, put


def mutants(file: str, tree: ast.AST, node: ast.AST, inside: str = "") -> Iterator[Mutant]:
    """The tree, broken in one place below a node at a time."""
    for child, put in places(node):
        within = f"{inside}.{child.name}" if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else inside
        shown = node if isinstance(child, (ast.cmpop, ast.boolop, ast.operator)) else None
        before = headline(shown or child)
        for instead in broken(child):
            put(instead)
            name = f"{file} {within.strip('.')}: {before} → {headline(shown or instead)}"
            yield Mutant(file, name, ast.unparse(ast.fix_missing_locations(tree)))
            put(child)
        if not isinstance(child, ast.Raise):  # what it says is a text
            yield from mutants(file, tree, child, within)


def headline(node: ast.AST) -> str:
    return ast.unparse(node).strip().partition("\n")[0]


def survives(mutant: Mutant) -> bool:
    """Whether all tests pass with a mutant, in a process of its own that is forked from this."""
    if child := os.fork():
        return os.waitpid(child, 0)[1] == 0
    signal.alarm(SECONDS)  # a mutant that runs for ever is noticed, too
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    try:
        put_in_place(mutant)
        os._exit(int(pytest.main([*OPTIONS, *TARGETS[mutant.file]], plugins=[Quick()])))
    finally:
        os._exit(1)


def put_in_place(mutant: Mutant) -> None:
    """Makes a mutant the module that whoever imports it gets."""
    name = mutant.file.removesuffix(".py").replace("/", ".").removeprefix("model.")
    sys.path.insert(0, "model")
    if "." in name:
        importlib.import_module(name.rpartition(".")[0])
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = mutant.file
    exec(compile(mutant.source, mutant.file, "exec"), module.__dict__)  # noqa: S102  # that is the point


def main() -> None:
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None, max_examples=25)
    hypothesis.settings.load_profile("mutants")
    for module in ("azureml_emulator.fixtures", "azureml_emulator.testing"):
        importlib.import_module(module)  # once for all that are forked
    wanted = [file for file in TARGETS if not sys.argv[1:] or Path(file).stem in sys.argv[1:]]
    trees = {file: ast.parse(Path(file).read_text(encoding="utf-8")) for file in wanted}
    found = [mutant for file, tree in trees.items() for mutant in mutants(file, tree, tree)]
    found = [mutant for mutant in found if mutant.name.startswith(f"{mutant.file} {ONLY.get(mutant.file, '')}")]
    healthy = [Mutant(file, f"{file}, unbroken", ast.unparse(tree)) for file, tree in trees.items()]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        if failing := [
            mutant.name for mutant, passes in zip(healthy, pool.map(survives, healthy), strict=True) if not passes
        ]:
            sys.exit(f"The tests fail already: {', '.join(failing)}")
        reasons = yaml.safe_load(REASONS.read_text(encoding="utf-8")) or {}
        names = []
        for mutant, passes in zip(found, pool.imap(survives, found), strict=True):
            if passes:
                names.append(mutant.name)
                reason = reasons.get(mutant.name, f"WITHOUT A REASON in {REASONS.name}")
                print(f"survives: {mutant.name}\n          {reason}", flush=True)
    for name in (name for name in reasons.keys() - set(names) if name.split(" ")[0] in wanted):
        print(f"does not survive, or is gone: {name}")
    score = 100 * (len(found) - len(names)) / len(found)
    print(f"{len(found) - len(names)} of {len(found)} mutants were noticed: {score:.1f} %")
    sys.exit(score < WANTED or not set(names) <= reasons.keys())


if __name__ == "__main__":
    main()
