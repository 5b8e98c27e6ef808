"""Whatever was recorded and is asked in which order: each exchange answers once before any answers again, the nearest first."""

from __future__ import annotations

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.analysis.replay.matching import Matcher
from harness.model.faults import operation_of
from harness.model.recording import RecordedExchange

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555555555555"
# URLs of one group are the same but for what is different each time.
URLS = (
    ("https://app.test/api/session",),
    ("https://app.test/api/session?lang=en",),
    (f"https://app.test/threads/{ONE}", f"https://app.test/threads/{OTHER}"),
    ("https://app.test/list?_=1", "https://app.test/list?_=2", "https://app.test/list?_=3"),
)
BODIES = (
    ("",),
    ("plain text",),
    (json.dumps({"q": "tea", "nonce": "a"}), json.dumps({"nonce": "b", "q": "tea"})),
    (json.dumps({"q": "coffee", "nonce": "a"}),),
    (json.dumps({"type": "threads.list", "id": ONE}), json.dumps({"type": "threads.list", "id": OTHER})),
    (json.dumps({"type": "threads.create", "id": ONE}),),
)
GROUP_OF = {text: number for groups in (URLS, BODIES) for number, group in enumerate(groups) for text in group}

Request = tuple[str, str, str]  # method, URL, body
REQUESTS = st.tuples(
    st.sampled_from(("GET", "POST")),
    st.sampled_from([url for group in URLS for url in group]),
    st.sampled_from([body for group in BODIES for body in group]),
)


def is_answer(recorded: RecordedExchange, request: Request) -> bool:
    """Whether an exchange may answer a request at all."""
    method, url, body = request
    operations = {recorded.operation, operation_of(body)} - {""}
    return recorded.method == method and GROUP_OF[recorded.url] == GROUP_OF[url] and len(operations) <= 1


def distance(recorded: RecordedExchange, body: str) -> int:
    """How far the recorded body is from this one."""
    return 0 if recorded.request_body == body else 1 if GROUP_OF[recorded.request_body] == GROUP_OF[body] else 2


class Matching(RuleBasedStateMachine):
    """A matcher, and beside it the exchanges that have not answered yet."""

    @initialize(requests=st.lists(REQUESTS, max_size=8))
    def record(self, requests: list[Request]) -> None:
        """A recording of these requests."""
        self.recorded = [
            RecordedExchange(
                number=number,
                method=method,
                url=url,
                resource_type="fetch",
                request_body=body,
                operation=operation_of(body),
            )
            for number, (method, url, body) in enumerate(requests, start=1)
        ]
        self.fresh = list(self.recorded)
        self.repeated: list[RecordedExchange] = []
        self.matcher = Matcher(self.recorded)

    @rule(request=REQUESTS)
    def ask(self, request: Request) -> None:
        """A fresh exchange answers, if there is one: of the same URL rather than of one like it, the nearest body, the first of these."""
        method, url, body = request
        possible = [x for x in self.recorded if is_answer(x, request)]
        fresh = [x for x in possible if x in self.fresh]
        fresh = [x for x in fresh if x.url == url] or fresh
        looked = self.matcher.look(method, url, body)
        found = self.matcher.take(method, url, body)
        assert found == looked
        assert (found is None) == (not possible)
        if fresh:
            assert found in fresh
            assert (distance(found, body), found.number) == min((distance(x, body), x.number) for x in fresh)
            self.fresh.remove(found)
        elif found:
            assert (distance(found, body), -found.number) == min((distance(x, body), -x.number) for x in possible)
            self.repeated.append(found)
        assert self.matcher.repeats == self.repeated

    @rule(request=REQUESTS)
    def look(self, request: Request) -> None:
        """Looking changes nothing, and a request of no known URL is missed with a word of what is nearest."""
        method, url, body = request
        assert self.matcher.look(method, url, body) == self.matcher.look(method, url, body)
        is_known = any(x.method == method and GROUP_OF[x.url] == GROUP_OF[url] for x in self.recorded)
        assert self.matcher.has(method, url) is is_known
        assert self.matcher.miss_of(method, url, body).url == url


TestMatching = Matching.TestCase
TestMatching.settings = settings(max_examples=60, stateful_step_count=15)
