"""Adds a smoke run to the history, and sends notifications when its state has changed.

In: a verdict. Out: its `Record`; a line in the history, messages to a webhook and to GitHub. A failed write or message is a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.analysis.smoke.transitions import Escalation, next_record, undelivered
from harness.commands.printing import PLAIN
from harness.config.tables import Smoke
from harness.drive.notify import GitHub, close_issue, open_issue, post_json
from harness.errors import BundleError
from harness.model.history import Delivery, PastVerdict, Record
from harness.model.redaction import Redactor
from harness.report.history import History, append_to_history
from harness.report.notice import LABEL, comment_of, issue_of, marker_of, webhook_json
from harness.report.run_folder import shown

OPENS_ISSUE = ("failing", "escalated")


class Teller:
    """The history of a project's runs, and the channels that are notified."""

    def __init__(self, console: Console, settings: Smoke, path: Path, redactor: Redactor) -> None:
        self._console = console
        self._settings = settings
        self._path = path
        self._redactor = redactor

    def remember(self, verdict: PastVerdict) -> Record:
        """Append the run to the history, send notifications, and return the run's record."""
        settings, path = self._settings, self._path
        escalation = Escalation(after_runs=settings.escalate_after_runs, after_minutes=settings.escalate_after_minutes)
        clean = _redacted(verdict, self._redactor)
        made: list[Record] = []

        def decide(history: History) -> Record:
            made.append(next_record(history.lines, clean, escalation))
            return made[-1]

        try:
            _, history = append_to_history(path, decide)
        except BundleError as error:
            self._say(f"  warning:   {error}; this run is judged without a history")
            history = History()
            made = [next_record((), clean, escalation)]
        record = made[-1]
        self._warn_of(history)
        alert = record.alert or record.pending
        if alert:
            self._tell(record, alert, undelivered(history.lines, record) if record.pending else None)
        return record

    def _warn_of(self, history: History) -> None:
        if history.unreadable:
            self._say(
                f"  warning:   {history.unreadable} line(s) of {shown(self._path)} are incomplete or damaged, and "
                "were skipped"
            )
        if history.newer:
            self._say(
                f"  warning:   {history.newer} line(s) of {shown(self._path)} have a newer format, and were skipped"
            )

    def _tell(self, record: Record, alert: str, only: tuple[str, ...] | None) -> None:
        """Send an alert. A channel that fails is a warning, and the next run sends the alert again."""
        failed = []
        for channel, post in self._channels(record, alert).items():
            if only is None or channel in only:
                wrong = post()
                self._say(
                    f"  notified:  {channel} of {alert}"
                    if not wrong
                    else f"  warning:   {channel} was not notified of {alert}: {wrong}"
                )
                failed += [channel] if wrong else []
        delivery = Delivery(run=record.verdict.run, project=record.verdict.project, alert=alert, failed=tuple(failed))
        try:
            append_to_history(self._path, lambda _history: delivery)
        except BundleError as error:
            self._say(f"  warning:   {error}")

    def _channels(self, record: Record, alert: str) -> dict[str, Callable[[], str]]:
        settings, project = self._settings, record.verdict.project
        timeout_s = settings.notify_timeout_ms / 1000
        channels: dict[str, Callable[[], str]] = {}
        if settings.webhook:
            message = self._redactor.value(webhook_json(record, alert))
            channels["webhook"] = lambda: post_json(settings.webhook, message, timeout_s=timeout_s)
        if settings.github_repo and settings.github_token:
            github = GitHub(api=settings.github_api, repo=settings.github_repo, token=settings.github_token)
            marker, comment = marker_of(project), self._redactor.text(comment_of(record, alert))
            issue = self._redactor.value(issue_of(record, alert))
            if alert in OPENS_ISSUE:
                channels["github"] = lambda: open_issue(
                    github, label=LABEL, marker=marker, issue=issue, comment=comment, timeout_s=timeout_s
                )
            elif alert == "recovered":
                channels["github"] = lambda: close_issue(
                    github, label=LABEL, marker=marker, comment=comment, timeout_s=timeout_s
                )
        return channels

    def _say(self, text: str, **style: Any) -> None:
        self._console.print(self._redactor.shown(text), **PLAIN, **style)


def _redacted(verdict: PastVerdict, redactor: Redactor) -> PastVerdict:
    values = redactor.value(asdict(verdict))
    return PastVerdict(**values | {"sdk": verdict.sdk, "reasons": tuple(values["reasons"])})
