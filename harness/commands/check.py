"""The command `check`: visit one URL without configuration, and say whether a ChatKit widget mounts there.

In: a URL and what to click. Out: the verdict on the console or as JSON, a bundle, an exit code.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rich.console import Console
from rich.markup import escape

from harness.commands.printing import PLAIN
from harness.commands.session import run_session, tell_report
from harness.config.reading import EMBEDDED_SCENARIO, Config
from harness.config.sdk_source import STAND_IN, SdkSource
from harness.config.way_in import WayIn, way_in
from harness.drive.conversation import Reply
from harness.errors import ConversationFailed, ExitCode, MountFailed
from harness.model.results import VisitResult
from harness.model.texts import in_json, one_line
from harness.report.bundle import result_dict
from harness.report.ci_systems import CiSystem
from harness.report.context import render_failure, render_prefetch, render_verdict
from harness.report.terminal import milestones
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from harness.visit.browser import launched_browser, opened
from harness.visit.target import keep_of, target_of
from harness.visit.visit import Visit

MOST_CONSOLE_LINES = 5
LONGEST_REPLY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The command-line options of `check`."""

    way: WayIn = field(default_factory=WayIn)
    message: str = ""  # sent when the widget is mounted
    retries: int = 0
    fault: str = ""
    as_json: bool = False
    is_searched: bool = True  # for secrets, afterwards
    ci: CiSystem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One visit, and the reply to its message."""

    result: VisitResult
    bundle: str
    reply: Reply | None = None
    trouble: str = ""  # why there is no reply

    @property
    def is_good(self) -> bool:
        """Whether the widget mounted, and replied if a message was sent."""
        return self.result.is_mounted and not self.trouble


def run_check(console: Console, config: Config, url: str, options: CheckOptions) -> int:
    """Return 0 when the widget mounts and replies, 7 when it does only after a retry, 1 when it does not.

    Raises PageError when the page cannot be visited, SecretFound when the bundle held a secret.
    """
    config, entry = way_in(config, options.way)
    target = target_of(config.project_at(url, entry=entry), entry="page", fault=options.fault)
    sdk = config.sdk() if config.is_sdk_chosen else STAND_IN
    plain = Console(stderr=True) if options.as_json else console
    with (
        run_session(
            plain,
            config,
            "check",
            project=target.project,
            network=target.network,
            ci=options.ci,
            is_searched=options.is_searched,
        ) as session,
        ExitStack() as resources,
    ):
        if sdk.warning:
            plain.print(f"sdk: {sdk.warning}", style="yellow", **PLAIN)
        if not options.as_json:
            resources.enter_context(console.status(f"opening {escape(url)}"))
        browser = resources.enter_context(launched_browser(config))
        stack = resources.enter_context(_sdk_servers(sdk)) if config.is_sdk_chosen else None
        for attempt in range(1, options.retries + 2):
            folder, keep = session.folder / ("check" if attempt == 1 else f"check-{attempt}"), keep_of(config.use)
            with opened(
                browser, target, folder, config=config, keep=keep, redactor=session.redactor, stack=stack
            ) as visit:
                session.visits.append(visit)
                visit.open()
                checked = _checked(visit, options.message)
            checked = replace(checked, result=replace(checked.result, missing=visit.finish().missing))
            if checked.is_good or attempt > options.retries:
                break
            plain.print(f"attempt {attempt}: {checked.trouble or render_verdict(checked.result)}", style="dim", **PLAIN)
        passed = ExitCode.PASSED if attempt == 1 else ExitCode.PASSED_AFTER_RETRY
        session.exit_code = passed if checked.is_good else ExitCode.FAILED
    if options.as_json:
        print(in_json(json.dumps(_as_json(checked, attempt), ensure_ascii=False, indent=1)))
    else:
        _print(console, checked.result, checked.bundle)
        _print_conversation(console, checked)
        tell_report(console, session.folder)
    return session.exit_code


def _checked(visit: Visit, message: str) -> Checked:
    result = visit.wait_until_decided()
    checked = Checked(result=result, bundle=visit.folder_shown)
    if not message or not result.is_mounted:
        return checked
    try:
        return replace(checked, reply=visit.send(message))
    except (ConversationFailed, MountFailed) as failure:
        return replace(checked, trouble=str(failure))


def _as_json(checked: Checked, attempts: int) -> dict[str, Any]:
    reply = asdict(checked.reply) if checked.reply else None
    conversation = {"reply": reply, "trouble": checked.trouble} if reply or checked.trouble else None
    return {
        "bundle": checked.bundle,
        "attempts": attempts,
        "conversation": conversation,
        **result_dict(checked.result),
    }


def _print_conversation(console: Console, checked: Checked) -> None:
    if checked.trouble:
        console.print(f"conversation: {checked.trouble}", style="bold red", **PLAIN)
    elif checked.reply:
        reply = checked.reply
        text = one_line(reply.text or "; ".join(reply.cards) or ", ".join(reply.items))[:LONGEST_REPLY]
        first = f"first words after {reply.first_token_ms:.0f} ms" if reply.text else "without text of the assistant"
        console.print(f"  reply:     {text} ({first})", **PLAIN)


def _sdk_servers(sdk: SdkSource) -> AbstractContextManager[Stack]:
    """The embedded servers; a live page uses only their CDN."""
    return serve_stack(scenario=scenario_named(EMBEDDED_SCENARIO), sdk_dir=sdk.folder)


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
