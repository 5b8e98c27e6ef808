"""Two faults at once in a real browser: the one at which the chain broke first is the cause, the other one is told as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from visits import visited

from harness.config.reading import Config
from harness.servers.scenarios import Scenario, scenario_named
from harness.servers.server import Stack

# Two scenarios, the cause, and what else is wrong; "*" marks a prediction: what would stop the mount next.
COMBINED = (
    ("script-missing", "secret-is-api-key", "loader-not-referenced", "secret-malformed*"),
    ("script-blocked", "zero-height", "loader-blocked-by-client", "element-without-height*"),
    ("script-404", "mock-secret", "loader-answered-by-page", "mock-secret*"),
    ("script-dns", "secret-is-jwt", "loader-unreachable", "secret-malformed*"),
    ("script-pasted", "workflow-404", "loader-tag-inert", "workflow-not-found"),
    ("csp-script", "mock-secret", "loader-blocked-by-csp", "mock-secret*"),
    ("script-as-module", "user-missing", "loader-run-as-module", "user-missing"),
    ("options-too-early", "zero-height", "options-before-upgrade", "element-without-height"),
    ("options-theme", "zero-width", "theme-invalid", "element-without-width"),
    ("options-hosted-with-domain-key", "clipped", "api-mixes-modes", "element-clipped"),
    ("frame-400", "zero-height", "frame-refused", "element-without-height"),
    ("frame-xfo", "hidden", "frame-forbids-embedding", "container-hidden"),
    ("entry-404", "off-screen", "frame-script-missing", "element-off-screen"),
    ("coep", "unpainted", "frame-blocked-by-coep", "element-not-painted"),
    ("secret-rejected-silently", "invisible", "api-key-missing-in-app", "container-hidden"),
    ("mock-secret", "collapsed-flex", "mock-secret", "element-without-height"),
    ("secret-object", "clipped", "secret-not-a-string", "element-clipped"),
    ("threads-429", "covered", "backend-rate-limited", "element-covered"),
    ("custom-401", "off-screen", "custom-backend-unauthorized", "element-off-screen"),
    ("console-noise", "hidden", "container-hidden", "console-error"),
    ("workflow-404", "insecure-context", "workflow-not-found", "page-not-secure*"),
    ("domain-not-verified", "zero-height", "domain-not-registered", "element-without-height"),
)


def both(first: str, second: str) -> Scenario:
    """Return a scenario with the settings of two: what either of them breaks is broken."""
    one, other, plain = scenario_named(first), scenario_named(second), Scenario(name="")
    broken = {
        field.name: getattr(other, field.name)
        for field in fields(Scenario)
        if getattr(other, field.name) != getattr(plain, field.name)
    }
    return replace(one, **broken | {"name": f"{first}, {second}", "faults": (*one.faults, *other.faults)})


@pytest.mark.parametrize(("first", "second", "cause", "also"), COMBINED)
def test_of_two_faults_one_is_the_cause(
    first: str,
    second: str,
    cause: str,
    also: str,
    chatkit_config: Config,
    chatkit_stack: Callable[[], Stack],
    new_context: Callable[..., Any],
    output_path: str,
) -> None:
    """And nothing else is told."""
    result = visited(
        both(first, second),
        config=chatkit_config,
        stack=chatkit_stack(),
        new_context=new_context,
        folder=Path(output_path),
    )
    told = [finding.rule + "*" * finding.is_prediction for finding in result.also]
    assert (result.cause and result.cause.rule, told) == (cause, [also])
