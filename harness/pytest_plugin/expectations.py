"""`expect(embed)`: assertions about a visit that wait until the mount is decided and fail with the cause.

In: a `Visit`. Out: nothing, or an EmbedError with the expected and the actual result, and the bundle's folder.
"""

from __future__ import annotations

from typing import Any, overload

from playwright.sync_api import APIResponse, Locator, Page
from playwright.sync_api import expect as playwright_expect

from harness.drive.conversation import Reply
from harness.errors import ConversationFailed, EmbedError, MountFailed, MountTimeout
from harness.model.results import VisitResult
from harness.model.texts import first_line
from harness.report.context import render_failure
from harness.visit.visit import Visit


class EmbedAssertions:
    """The assertions for an embed. Each call waits for the verdict, at most the project's `mount_timeout_ms`."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def to_be_mounted(self) -> None:
        """Pass when the widget really mounted. Raises MountFailed or MountTimeout with the cause."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if not result.is_mounted:
            kind = MountTimeout if result.outcome == "timeout" else MountFailed
            raise kind(self._told("expected the widget to be mounted", result))

    def not_to_be_mounted(self, *, reason: str = "", last_milestone: str = "") -> None:
        """Pass when the mount failed, optionally for this reason and after this milestone. Raises EmbedError."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if result.is_mounted:
            raise EmbedError(self._told("expected the widget not to be mounted", result))
        if reason and result.reason != reason:
            raise EmbedError(self._told(f"expected the mount to fail with {reason!r}, not {result.reason!r}", result))
        if last_milestone and result.last_milestone != last_milestone:
            expected = f"expected {last_milestone!r} to be the last milestone, not {result.last_milestone!r}"
            raise EmbedError(self._told(expected, result))

    def to_have_prefetched_client_secret(self) -> None:
        """Pass when the secret was received before the element was connected, on the page's own clock. Raises EmbedError."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if result.prefetch != "pre-fetched":
            expected = f"expected the client secret to be pre-fetched; it was: {result.prefetch}"
            raise EmbedError(self._told(expected, result))

    def not_to_have_prefetched_client_secret(self, *, outcome: str = "") -> None:
        """Pass when the secret was not pre-fetched, optionally with this outcome instead. Raises EmbedError."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if result.prefetch == "pre-fetched" or (outcome and result.prefetch != outcome):
            expected = (
                f"expected the client secret to be {outcome or 'anything but pre-fetched'}; it was: {result.prefetch}"
            )
            raise EmbedError(self._told(expected, result))

    def to_have_clean_console(self) -> None:
        """Pass when every error on the console is one that `console_allow` names. Raises EmbedError with the others."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if not result.is_console_clean:
            lines = [f"{p.kind}: {first_line(p.text)}  [line {p.seq}]" for p in result.console if not p.is_allowed]
            raise EmbedError(self._told("expected a clean console; there " + _counted(lines), result))

    def not_to_have_clean_console(self, *, containing: str = "") -> None:
        """Pass when there is an error on the console, optionally one with this text. Raises EmbedError."""
        __tracebackhide__ = True
        result = self._visit.wait_until_decided()
        if not any(containing in problem.text for problem in result.console if not problem.is_allowed):
            expected = (
                f"an error on the console that contains {containing!r}" if containing else "errors on the console"
            )
            raise EmbedError(self._told(f"expected {expected}; there was none", result))

    def to_reply(
        self, text: str, *, containing: str = "", first_token_within_ms: float = 0, via: str = "composer"
    ) -> Reply:
        """Send a message and return the reply; pass when it contains this text and began in time. Raises ConversationFailed."""
        __tracebackhide__ = True
        reply = self._visit.send(text, via=via)
        if containing not in reply.text or not reply.text:
            expected = f"expected a reply that contains {containing!r}" if containing else "expected a reply with text"
            cards = f", and cards: {'; '.join(reply.cards)[:300]!r}" if reply.cards else ""
            raise self._unsatisfied(f"{expected}; it was: {reply.text[:300]!r}{cards}")
        if first_token_within_ms and reply.first_token_ms > first_token_within_ms:
            expected = f"expected the reply to begin within {first_token_within_ms:g} ms"
            raise self._unsatisfied(f"{expected}; it took {reply.first_token_ms:g} ms")
        return reply

    def _unsatisfied(self, what: str) -> ConversationFailed:
        return ConversationFailed(f"{what}\n  bundle:    {self._visit.folder_shown}")

    def _told(self, expected: str, result: VisitResult) -> str:
        return render_failure(result, bundle=self._visit.folder_shown, expected=expected)


def _counted(lines: list[str]) -> str:
    shown = "\n".join(f"  {line[:300]}" for line in lines[:3])
    more = f"\n  and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f"{'was one error' if len(lines) == 1 else f'were {len(lines)} errors'}:\n{shown}{more}"


@overload
def expect(actual: Visit) -> EmbedAssertions: ...
@overload
def expect(actual: Page | Locator | APIResponse, message: str | None = None) -> Any: ...


def expect(actual: Any, message: str | None = None) -> Any:
    """Return the assertions for an embed; for everything else Playwright's own."""
    return EmbedAssertions(actual) if isinstance(actual, Visit) else playwright_expect(actual, message)
