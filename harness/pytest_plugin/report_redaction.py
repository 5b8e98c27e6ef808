"""Redacts pytest's reports before any reporter receives them, and transports the secrets that a worker learned, in memory.

In: a report, and redactors. Out: the same report: tracebacks, locals, messages, captured output. What was learned travels as an attribute
of the report, over pytest-xdist's pipe, and is taken off before anything could write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from harness.model.redaction import Redactor
from harness.model.texts import for_terminal
from harness.report.search import Secret

LEARNED = "chatkit_learned"
DEEPEST = 12
Clean = Callable[[str], str]


def redact_report(report: pytest.TestReport | pytest.CollectReport, redactors: Iterable[Redactor]) -> None:
    """Replace secrets in all that a report says. The first redactor's placeholders win: those of the test's own bundles."""
    in_turn = tuple(redactors)

    def clean(text: str) -> str:
        for redactor in in_turn:
            text = redactor.shown(text)
        return text

    # What a page wrote may be in an error's text; what a test printed is its own affair.
    report.longrepr = _cleaned(report.longrepr, lambda text: for_terminal(clean(text)), 0)
    report.sections = [(title, clean(text)) for title, text in report.sections]


def _cleaned(value: Any, clean: Clean, depth: int) -> Any:
    """Return the value with every text cleaned; pytest's representations of an exception are changed in place."""
    match value:
        case str():
            return clean(value)
        case list() | tuple():
            return type(value)(_cleaned(item, clean, depth + 1) for item in value)
        case _ if is_dataclass(value) and not isinstance(value, type) and depth < DEEPEST:
            for field in fields(value):
                object.__setattr__(value, field.name, _cleaned(getattr(value, field.name), clean, depth + 1))
            return value
        case _:
            return value


def attach_learned(report: pytest.TestReport, secrets: Iterable[Secret]) -> None:
    """Give the report what the visits of its test taught."""
    setattr(report, LEARNED, [[secret.kind, secret.value, secret.home] for secret in secrets])


def take_learned(report: pytest.TestReport) -> tuple[Secret, ...]:
    """Return what the report was given, and take it off."""
    rows = report.__dict__.pop(LEARNED, ())
    return tuple(Secret(kind=kind, value=value, home=home) for kind, value, home in rows)
