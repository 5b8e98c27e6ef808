"""One visit to one URL, with nothing configured: does a ChatKit widget mount there, and if not, why?

In: a URL and what to click. Out: the verdict on the console or as JSON, a bundle, an exit code.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from harness.config import Config
from harness.model.redaction import Redactor
from harness.model.results import VisitResult
from harness.model.texts import in_json, one_line
from harness.report.bundle import result_dict
from harness.report.context import render_failure, render_prefetch
from harness.report.run_folder import new_run_folder, publish
from harness.report.terminal import milestones
from harness.run import Keep, target_of
from harness.visiting import PLAIN, launched_browser, opened_visit, search_for_secrets

MOST_CONSOLE_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What the command line says about this check."""

    clicks: tuple[str, ...] = ()
    fault: str = ""
    as_json: bool = False
    is_searched: bool = True  # for secrets, afterwards


def run_check(console: Console, config: Config, url: str, options: CheckOptions) -> int:
    """Return 0 when the widget mounts and 1 when not.

    Raises PageError when the page cannot be visited, SecretFound when the bundle held a secret.
    """
    target = target_of(config.project_at(url), entry="page", fault=options.fault)
    run = new_run_folder(config.output_dir, keep_runs=config.keep_runs)
    with ExitStack() as resources:
        redactor = Redactor(config.secrets)
        resources.callback(publish, run)
        plain = Console(stderr=True) if options.as_json else console
        resources.callback(search_for_secrets, plain, run, redactor, is_searched=options.is_searched)
        if not options.as_json:
            resources.enter_context(console.status(f"opening {escape(url)}"))
        browser = resources.enter_context(launched_browser(config))
        keep = Keep(trace=config.use.trace, screenshot=config.use.screenshot)
        visit = resources.enter_context(opened_visit(browser, config, target, run / "check", redactor, keep))
        visit.open()
        for name in options.clicks:
            visit.embed.click(name)
        result = visit.wait_until_decided()
        shown = visit.folder_shown
    if options.as_json:
        print(in_json(json.dumps({"bundle": shown, **result_dict(result)}, ensure_ascii=False, indent=1)))
    else:
        _print(console, result, shown)
    return 0 if result.is_mounted else 1


def _print(console: Console, result: VisitResult, bundle: str) -> None:
    if result.is_mounted:
        first, *rest = _success(result)
    else:
        first, *rest = render_failure(result, bundle="").splitlines()[:-1]
    rest += _console_lines(result) if result.is_mounted else []
    console.print(first, style="bold green" if result.is_mounted else "bold red", **PLAIN)
    console.print("\n".join([*rest, f"  bundle:    {bundle}"]), **PLAIN)


def _success(result: VisitResult) -> list[str]:
    took_ms = result.decided_at_ms - result.opened_at_ms
    return [
        f"mounted after {took_ms:.0f} ms: {result.url}",
        f"  secret:    {render_prefetch(result)}",
        f"  reached:   {milestones(result)}",
        *(f"  also:      {f.title} ({f.rule}): {one_line(f.summary)}" for f in result.also if f.layer != "console"),
    ]


def _console_lines(result: VisitResult) -> list[str]:
    """The errors on the console, each once."""
    texts = Counter(" ".join(problem.text.split()) for problem in result.console if not problem.is_allowed)
    lines = [f"  console:   {text[:300]}" + (f" ({count} times)" if count > 1 else "") for text, count in texts.items()]
    more = [f"  console:   and {len(lines) - MOST_CONSOLE_LINES} more"] if len(lines) > MOST_CONSOLE_LINES else []
    return lines[:MOST_CONSOLE_LINES] + more
