"""Rules, or what else is pure, with one thing broken: a condition dropped or turned round, in the code itself.

In: the functions that the rules' modules are made of. Out: mutants, each put in place for as long as a `with` block lasts. What a finding
says and cites is left alone; whether it is made, how sure it is, and whether it is a prediction is not.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.analysis import rules
from harness.analysis.rules import RULES
from harness.analysis.rules.rule import Rule

TOLD = ("summary", "evidence")  # the arguments of a finding that say what was seen
INVERSE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One function with one condition broken, and the rules that call it."""

    function: types.FunctionType
    rules: tuple[Rule, ...]
    code: types.CodeType
    line: int
    was: ast.expr
    made: ast.expr

    def __str__(self) -> str:
        """Return where it is, and what was made of what."""
        return f"{self.function.__name__}:{self.line}: {ast.unparse(self.was)}  ->  {ast.unparse(self.made)}"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let every caller, in whatever table or module, run the mutant."""
        whole = self.function.__code__
        self.function.__code__ = self.code
        try:
            yield
        finally:
            self.function.__code__ = whole


def mutants() -> Iterator[Mutant]:
    """Return every mutant of every function that a rule reaches."""
    return _mutants(_reached())


def mutants_in(module: types.ModuleType) -> Iterator[Mutant]:
    """Return every mutant of every function of a module."""
    functions = [
        f for f in vars(module).values() if isinstance(f, types.FunctionType) and f.__module__ == module.__name__
    ]
    return _mutants(dict.fromkeys(functions, ()))


def _mutants(functions: dict[types.FunctionType, tuple[Rule, ...]]) -> Iterator[Mutant]:
    for function, callers in functions.items():
        tree = deepcopy(_definition(function))
        for place in _conditions(tree):
            for made in _versions(place.node):
                place.put(made)
                code = _compiled(tree, function)
                place.put(place.node)
                yield Mutant(
                    function=function, rules=callers, code=code, line=place.node.lineno, was=place.node, made=made
                )


# --- functions ----------------------------------------------------------------------------------------------------


def _reached() -> dict[types.FunctionType, tuple[Rule, ...]]:
    """The functions of the rules' modules by the rules that run them."""
    found: dict[types.FunctionType, list[Rule]] = {}
    for rule in RULES:
        for function in _called_by(_function(rule.finds), set()):
            found.setdefault(function, []).append(rule)
    return {function: tuple(callers) for function, callers in found.items()}


def _function(finds: Callable[..., Any]) -> types.FunctionType:
    plain = finds.func if isinstance(finds, partial) else finds
    assert isinstance(plain, types.FunctionType)
    return plain


def _called_by(function: types.FunctionType, known: set[types.FunctionType]) -> set[types.FunctionType]:
    """The function, and the rules' functions that it names, and theirs."""
    if function in known or not function.__module__.startswith(rules.__name__) or _is_wording(function):
        return known
    known.add(function)
    for name in _names(function.__code__):
        other = function.__globals__.get(name)
        if isinstance(other, types.FunctionType):
            _called_by(other, known)
    return known


def _is_wording(function: types.FunctionType) -> bool:
    """Whether it puts words or lines together."""
    return inspect.signature(function).return_annotation in ("str", "tuple[int, ...]")


def _names(code: types.CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return {*code.co_names, *(name for part in inner for name in _names(part))}


@cache
def _module(name: str) -> dict[str, ast.FunctionDef]:
    path = import_module(name).__file__
    assert path
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def _definition(function: types.FunctionType) -> ast.FunctionDef:
    return _module(function.__module__)[function.__name__]


def _compiled(tree: ast.FunctionDef, function: types.FunctionType) -> types.CodeType:
    flags = __future__.annotations.compiler_flag
    module = ast.fix_missing_locations(ast.Module(body=[tree], type_ignores=[]))
    built = compile(module, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    return next(const for const in built.co_consts if isinstance(const, types.CodeType))


# --- conditions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An expression that decides something, and where it hangs in its tree."""

    node: ast.expr
    parent: ast.AST
    field: str
    number: int | None  # in a list of expressions

    def put(self, node: ast.expr) -> None:
        """Let another expression stand there."""
        if self.number is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.number] = node


def _conditions(tree: ast.AST) -> list[_Place]:
    """The expressions that decide something, in the order in which they stand."""
    return [place for statement in getattr(tree, "body", ()) for place in _below(statement)]


def _below(parent: ast.AST) -> Iterator[_Place]:
    for field, value in ast.iter_fields(parent):
        several = value if isinstance(value, list) else [value]
        for number, node in enumerate(several):
            if not isinstance(node, ast.AST) or _is_telling(node):
                continue
            if isinstance(node, ast.expr) and (_is_condition(node) or _is_test(parent, field)):
                yield _Place(node=node, parent=parent, field=field, number=number if isinstance(value, list) else None)
            yield from _below(node)


def _is_telling(node: ast.AST) -> bool:
    """Whether it only says what was seen: the words of a finding, and the lines that it cites."""
    if isinstance(node, ast.keyword):
        return node.arg in TOLD
    return isinstance(node, ast.IfExp) and (_is_words(node.body) or _is_words(node.orelse))


def _is_condition(node: ast.expr) -> bool:
    return isinstance(node, (ast.BoolOp, ast.Compare, ast.IfExp)) or _is_not(node) or _is_quantor(node)


def _is_test(parent: ast.AST, field: str) -> bool:
    return isinstance(parent, (ast.If, ast.IfExp)) and field == "test"


def _is_words(node: ast.expr) -> bool:
    """Whether it is what a finding says, or the lines that it cites."""
    is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    return is_text or isinstance(node, ast.Tuple) or (isinstance(node, ast.Attribute) and node.attr == "message")


def _is_not(node: ast.AST) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_quantor(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("any", "all")


def _versions(node: ast.expr) -> list[ast.expr]:
    """What a condition can be made into: without one of its parts, or turned round."""
    match node:
        case ast.BoolOp(op=op, values=values):
            return [_joined(op, values[:n] + values[n + 1 :]) for n in range(len(values))]
        case ast.Compare(left=left, ops=ops, comparators=others):
            turned = [INVERSE[type(ops[0])](), *ops[1:]]
            return [ast.Compare(left=left, ops=turned, comparators=others)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [operand]
        case ast.IfExp(body=body, orelse=other):
            return [body, other]
        case ast.Call(func=ast.Name(id="any" | "all" as name), args=args):
            return [
                ast.Call(func=ast.Name(id="all" if name == "any" else "any", ctx=ast.Load()), args=args, keywords=[])
            ]
    return [ast.UnaryOp(op=ast.Not(), operand=node)]


def _joined(op: ast.boolop, values: list[ast.expr]) -> ast.expr:
    return values[0] if len(values) == 1 else ast.BoolOp(op=op, values=values)
