"""Whatever faults there are and whatever is asked: each request meets those whose turn it is, in the browser or on a server."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.model.faults import ABORT, EVERY, Asked, Fault, parse_fault
from harness.model.injection import Injector

APP, API = "https://app.test", "https://us.api.openai.com"
SESSIONS_API = Asked(method="POST", url="https://api.openai.com/v1/chatkit/sessions")  # what no browser sends
REQUESTS = (
    Asked(method="POST", url=f"{APP}/api/chatkit/session", destination="empty"),
    Asked(method="POST", url=f"{API}/v1/chatkit/conversation", destination="empty", operation="threads.list"),
    Asked(method="POST", url=f"{API}/v1/chatkit/conversation", destination="empty", operation="threads.create"),
    Asked(method="GET", url="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js", destination="script"),
    Asked(method="GET", url=f"{APP}/chat", destination="document"),
)
WHAT = ("abort:{}=failed", "abort:{}=timedout", "status:{}=500", "delay:{}=1s")
WHERE = ("session", "conversation", "conversation.threads.list", "script", f"{APP}/*", "openai-sessions")
FAULTS = st.builds(
    lambda what, where, turn: parse_fault(what.format(f"{where}{turn}")),
    st.sampled_from(WHAT),
    st.sampled_from(WHERE),
    st.sampled_from(("", "#1", "#2", "#3")),
)


class Injection(RuleBasedStateMachine):
    """An injector, and beside it the count of what each fault has seen."""

    @initialize(faults=st.lists(FAULTS, min_size=1, max_size=5).map(tuple), aborts_elsewhere=st.booleans())
    def begin(self, faults: tuple[Fault, ...], aborts_elsewhere: bool) -> None:
        """A visit with these faults, in a browser that breaks off its own requests or not."""
        self.injector = Injector(faults)
        self.injector.aborts_elsewhere = aborts_elsewhere
        self.seen = [0] * len(faults)

    def due(self, asked: Asked) -> tuple[Fault, ...]:
        """Count a request, and return the faults whose turn it is."""
        found = []
        for number, fault in enumerate(self.injector.faults):
            if fault.concerns(asked):
                self.seen[number] += 1
                if fault.occurrence in (EVERY, self.seen[number]):
                    found.append(fault)
        return tuple(found)

    @rule(asked=st.sampled_from(REQUESTS))
    def the_browser_asks(self, asked: Asked) -> None:
        """A request that is aborted meets nothing else, and counts all the same; any other meets all that is due."""
        due = self.due(asked)
        if not self.injector.aborts_elsewhere:
            assert self.injector.take(asked) == due
            return
        aborts = [fault for fault in due if fault.verb == ABORT]
        assert self.injector.take_abort(asked) == (aborts[-1] if aborts else None)
        if not aborts:
            assert self.injector.take(asked) == due

    @rule()
    def the_app_asks_the_api(self) -> None:
        """Whoever aborts the browser's requests, this one is the server's to abort."""
        assert self.injector.take(SESSIONS_API) == self.due(SESSIONS_API)


TestInjection = Injection.TestCase
TestInjection.settings = settings(max_examples=60, stateful_step_count=15)
