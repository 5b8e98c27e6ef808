"""However many requests are under way, and in whatever order they arrive: each gets the exchange that was kept for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, initialize, multiple, rule

from harness.analysis.replay.matching import Matcher
from harness.model.faults import Asked, operation_of
from harness.model.recording import RecordedExchange, Recording
from harness.servers.replay import FAST, Replay, is_aborted

URLS = ("https://app.test/api/session", "https://us.api.openai.com/v1/chatkit/conversation")
BODIES = ("", '{"type": "threads.list"}', '{"type": "threads.create"}', '{"q": 1}')
Request = tuple[str, str, str]  # method, URL, body
REQUESTS = st.tuples(st.just("POST"), st.sampled_from(URLS), st.sampled_from(BODIES))
EXCHANGES = st.builds(
    lambda request, how: RecordedExchange(
        number=0,
        method=request[0],
        url=request[1],
        resource_type="fetch",
        request_body=request[2],
        operation=operation_of(request[2]),
        **how,
    ),
    REQUESTS,
    st.sampled_from(({"status": 200}, {"status": 500}, {"failure": "net::ERR_CONNECTION_REFUSED"})),
)


class Replaying(RuleBasedStateMachine):
    """A replay whose browser breaks off what has to be, and beside it what is kept for the requests that are under way."""

    under_way: Bundle[Request] = Bundle("under_way")

    @initialize(exchanges=st.lists(EXCHANGES, max_size=5))
    def begin(self, exchanges: Iterable[RecordedExchange]) -> None:
        """A replay of these."""
        numbered = tuple(replace(x, number=number) for number, x in enumerate(exchanges, start=1))
        self.replay = Replay(Recording(name="x", url=URLS[0], started_at="", exchanges=numbered), timing=FAST)
        self.matcher = Matcher(numbered)
        self.kept: dict[Request, list[RecordedExchange | None]] = {}

    @rule(target=under_way, request=REQUESTS)
    def start(self, request: Request) -> Request | MultipleResults[Request]:
        """The page asks in the order of the recording; what only a browser can have fail never gets further."""
        method, url, body = request
        given = self.matcher.take(method, url, body)
        is_over = given is not None and is_aborted(given)
        assert self.replay.aborted(Asked(method=method, url=url), body) == (given if is_over else None)
        if is_over:
            return multiple()
        self.kept.setdefault(request, []).append(given)
        return request

    @rule(request=consumes(under_way))
    def arrive(self, request: Request) -> None:
        """Requests reach the replay in any order; of those that are alike in everything the first exchange is the first's."""
        assert self.replay.take(*request) == self.kept[request].pop(0)


TestReplaying = Replaying.TestCase
TestReplaying.settings = settings(max_examples=100, stateful_step_count=12)
