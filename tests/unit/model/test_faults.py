"""The fault language: what it says, what it refuses and how, and which requests a fault concerns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.model.faults import (
    ALL_EXCHANGES,
    ALL_VERBS,
    NET_ERRORS,
    Asked,
    Fault,
    combined,
    operation_of,
    parse_fault,
    render_fault,
)
from harness.model.injection import Injector

# --- parse and render ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("status:session=401", Fault(verb="status", target="session", value="401")),
        ("status:session#2=500", Fault(verb="status", target="session", occurrence=2, value="500")),
        (
            "status:conversation.threads.list#1=500",
            Fault(verb="status", target="conversation", operation="threads.list", occurrence=1, value="500"),
        ),
        ("delay:session=8s", Fault(verb="delay", target="session", value="8s")),
        ("delay:session=1.5s", Fault(verb="delay", target="session", value="1500ms")),
        ("delay:session=3000ms", Fault(verb="delay", target="session", value="3s")),
        ("abort:script", Fault(verb="abort", target="script", value="failed")),
        ("abort:script=net::ERR_NAME_NOT_RESOLVED", Fault(verb="abort", target="script", value="namenotresolved")),
        ("hang:verify", Fault(verb="hang", target="verify")),
        ('body:session={"a":"b=c#1"}', Fault(verb="body", target="session", value='{"a":"b=c#1"}')),
        ("body:session=", Fault(verb="body", target="session")),
        ("type:frame=text/plain", Fault(verb="type", target="frame", value="text/plain")),
        (
            "header:page=Content-Security-Policy:  script-src 'self'",
            Fault(verb="header", target="page", value="content-security-policy: script-src 'self'"),
        ),
        ("header:page=-X-Frame-Options", Fault(verb="header", target="page", value="-x-frame-options")),
        ("truncate:entry=0512", Fault(verb="truncate", target="entry", value="512")),
        ("drip:script=1024/100ms", Fault(verb="drip", target="script", value="1024/100ms")),
        ("redirect:page=https://x.test/?a=b", Fault(verb="redirect", target="page", value="https://x.test/?a=b")),
        (
            "status:https://cdn.test/*.js#3=503",
            Fault(verb="status", target="https://cdn.test/*.js", occurrence=3, value="503"),
        ),
        ("status:**/conversation=500", Fault(verb="status", target="**/conversation", value="500")),
        ("session=healthy", Fault(verb="healthy", target="session")),
        ("verify=ok", Fault(verb="healthy", target="verify")),
        ("conversation.threads.list=healthy", Fault(verb="healthy", target="conversation", operation="threads.list")),
        ("https://x.test/a=healthy", Fault(verb="healthy", target="https://x.test/a")),
    ],
)
def test_expression_says_a_fault(text: str, fault: Fault) -> None:
    """Each verb and each form of a target, with values in one spelling."""
    assert parse_fault(text) == fault
    assert parse_fault(render_fault(fault)) == fault


@pytest.mark.parametrize("verb", ALL_VERBS, ids=lambda verb: verb.name)
def test_example_of_a_verb_is_right(verb: object) -> None:
    """What the list of verbs shows can be used as it stands."""
    fault = parse_fault(verb.example)  # type: ignore[attr-defined]
    assert fault.verb == verb.name  # type: ignore[attr-defined]
    assert render_fault(fault) == verb.example  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("it is not a fault", "<verb>:<target>[#n][=<value>]")),
        ("session", ("it is not a fault",)),
        ("https://x.test/a", ("it is not a fault",)),
        ("stauts:session=401", ("unknown verb 'stauts'", "nearest:  status")),
        ("status:sesion=401", ("unknown exchange 'sesion'", "nearest:  session")),
        ("sesion=healthy", ("unknown exchange 'sesion'", "nearest:  session")),
        ("status:=401", ("it has no target",)),
        ("status:session", ("status has no value", "from 200 to 599")),
        ("status:session=", ("status has no value",)),
        ("status:session=42", ("the value '42'", "from 200 to 599")),
        ("status:session#0=401", ("'0' is not an occurrence", "#1 is the first")),
        ("status:session#one=401", ("'one' is not an occurrence",)),
        ("status:session.threads.list=401", ("session has no operation 'threads.list'", "conversation and custom")),
        ("status:conversation.list=401", ("'list' is not an operation", "threads.list")),
        ("delay:session=8", ("the value '8'", "300ms or 8s")),
        ("delay:session=99999s", ("up to one hour",)),
        ("abort:script=blockedbyclent", ("nearest:  blockedbyclient",)),
        ("hang:verify=8s", ("it needs no value",)),
        ("header:page=nonsense", ("to set a header",)),
        ("header:page=", ("header has no value",)),
        ("header:page=x: a\nb: c", ("to set a header",)),
        ("type:page= ", ("some text on one line",)),
        ("truncate:entry=-1", ("a number of bytes",)),
        ("drip:script=1024", ("<bytes>/<time>",)),
        ("drip:script=0/1s", ("<bytes>/<time>",)),
        ("drip:script=10/fast", ("300ms or 8s",)),
    ],
)
def test_wrong_expression_is_named(text: str, words: tuple[str, ...]) -> None:
    """The error quotes the expression, and says which part is wrong, the nearest right word, and what is expected."""
    with pytest.raises(ConfigError) as caught:
        parse_fault(text)
    said = str(caught.value)
    assert repr(text) in said
    assert all(word in said for word in words), said


LINE = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=40)
NAMES = st.sampled_from([exchange.name for exchange in ALL_EXCHANGES])
GLOBS = st.from_regex(r"https://[a-z]{1,8}\.test/[a-z*?.\-]{0,12}", fullmatch=True)
TIMES = st.integers(0, 3_600_000).map(lambda ms: f"{ms}ms")
VALUES = {
    "status": st.integers(200, 599).map(str),
    "body": LINE,
    "type": LINE.filter(str.strip),
    "redirect": LINE.filter(str.strip),
    "header": st.tuples(st.from_regex(r"[A-Za-z][A-Za-z-]{0,10}", fullmatch=True), LINE).map(": ".join)
    | st.from_regex(r"-[A-Za-z][A-Za-z-]{0,10}", fullmatch=True),
    "delay": TIMES,
    "hang": st.just(""),
    "abort": st.sampled_from(NET_ERRORS),
    "truncate": st.integers(0, 999_999_999).map(str),
    "drip": st.tuples(st.integers(1, 999_999), TIMES).map(lambda drip: f"{drip[0]}/{drip[1]}"),
}


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Expressions in any spelling that the language allows."""
    target = draw(NAMES | GLOBS | st.sampled_from(["conversation.threads.list", "custom.items.list"]))
    target += draw(st.sampled_from(["", "#1", "#17"]))
    if draw(st.booleans()) and draw(st.booleans()):
        return f"{target}={draw(st.sampled_from(['healthy', 'ok']))}"
    verb = draw(st.sampled_from(sorted(VALUES)))
    value = draw(VALUES[verb])
    return f"{verb}:{target}={value}" if value or verb == "body" else f"{verb}:{target}"


@given(expressions())
def test_what_was_read_is_written_so_that_it_is_read_alike(text: str) -> None:
    """Parsing after rendering gives the same fault, and rendering settles at once."""
    fault = parse_fault(text)
    assert parse_fault(render_fault(fault)) == fault
    assert render_fault(parse_fault(render_fault(fault))) == render_fault(fault)


@given(st.text(max_size=60) | expressions().flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n])))
def test_any_text_is_a_fault_or_a_clear_error(text: str) -> None:
    """Nothing but ConfigError leaves the parser."""
    try:
        fault = parse_fault(text)
    except ConfigError:
        return
    assert parse_fault(render_fault(fault)) == fault


def test_values_are_numbers_where_they_are_meant() -> None:
    """Times are milliseconds, headers name and text, drips bytes and milliseconds."""
    assert parse_fault("delay:page=1.25s").duration_ms == 1250
    assert parse_fault("status:page=503").number == 503
    assert parse_fault("header:page=a: b: c").header == ("a", "b: c")
    assert parse_fault("header:page=-a").header == ("a", None)
    assert parse_fault("drip:page=16/2s").drip == (16, 2000)


def test_healing_takes_back_what_came_before() -> None:
    """`healthy` removes the faults of its target, or of one operation or occurrence, and nothing that follows."""
    texts = ["status:session=401", "delay:session#1=1s", "status:conversation.threads.list=500", "hang:conversation"]
    faults = [parse_fault(text) for text in texts]

    def left(*more: str) -> list[str]:
        return [render_fault(f) for f in combined([*faults, *map(parse_fault, more)])]

    assert left("session=healthy") == texts[2:]
    assert left("session#1=healthy") == [texts[0], *texts[2:]]
    assert left("conversation.threads.list=healthy") == [*texts[:2], texts[3]]
    assert left("conversation=healthy", "hang:verify") == [*texts[:2], "hang:verify"]
    assert left("script=healthy") == texts


# --- what is concerned --------------------------------------------------------------------------------------------

APP, CDN, API = "https://app.test", "https://cdn.platform.openai.com", "https://us.api.openai.com"
REQUESTS = {
    "page": Asked(method="GET", url=f"{APP}/chat?x=1", destination="document"),
    "script": Asked(method="GET", url=f"{CDN}/deployments/chatkit/chatkit.js", destination="script"),
    "frame": Asked(method="GET", url=f"{CDN}/deployments/chatkit/index-qHsKwIyx09.html", destination="iframe"),
    "entry": Asked(method="GET", url=f"{CDN}/assets/ck1/index-NOLVTo8v.js", destination="script"),
    "assets": Asked(method="GET", url=f"{CDN}/assets/ck1/index-NOLVTo8v.css", destination="style"),
    "session": Asked(method="POST", url=f"{APP}/api/chatkit/session", destination="empty"),
    "verify": Asked(method="POST", url=f"{API}/v1/chatkit/domain_keys/verify_hosted", destination="empty"),
    "conversation": Asked(
        method="POST", url=f"{API}/v1/chatkit/conversation", destination="empty", operation="threads.list"
    ),
    "custom": Asked(method="POST", url=f"{APP}/support/chat", destination="empty", operation="threads.list"),
    "sentinel": Asked(method="GET", url="https://chatgpt.com/backend-api/sentinel/sdk.js", destination="script"),
    "telemetry": Asked(method="GET", url="https://chatgpt.com/ces/v1/projects/oai/settings", destination="empty"),
    "openai-sessions": Asked(method="POST", url="https://api.openai.com/v1/chatkit/sessions"),
}


def test_every_exchange_has_a_request() -> None:
    """The table is complete."""
    assert set(REQUESTS) == {exchange.name for exchange in ALL_EXCHANGES}


@pytest.mark.parametrize("name", REQUESTS)
def test_request_is_of_one_exchange(name: str) -> None:
    """Each request is concerned by its own name alone, and its URL contains the hint of that name."""
    concerned = {e.name for e in ALL_EXCHANGES if Fault(verb="hang", target=e.name).concerns(REQUESTS[name])}
    assert concerned == {name}
    hint = next(e.hint for e in ALL_EXCHANGES if e.name == name)
    assert re.search(hint, REQUESTS[name].url, re.IGNORECASE)


@pytest.mark.parametrize(
    ("fault", "asked", "is_concerned"),
    [
        ("hang:session", Asked(method="POST", url=f"{APP}/api/create-session"), True),
        ("hang:session", Asked(method="GET", url=f"{APP}/api/chatkitClientSecret", destination="empty"), True),
        ("hang:session", Asked(method="GET", url=f"{APP}/chatkit-session.js", destination="script"), False),
        ("hang:session", Asked(method="POST", url=f"{APP}/api/cart"), False),
        ("hang:session", Asked(method="POST", url="https://api.openai.com/v1/chatkit/sessions"), False),
        ("hang:frame", Asked(method="GET", url=f"{APP}/vendor/index-standin01.html", destination="iframe"), True),
        ("hang:page", REQUESTS["frame"], False),
        ("hang:conversation.threads.list", REQUESTS["conversation"], True),
        ("hang:conversation.threads.create", REQUESTS["conversation"], False),
        ("hang:custom.threads.list", REQUESTS["custom"], True),
        ("hang:custom", Asked(method="POST", url=f"{APP}/support/chat", operation="order.create"), False),
        ("hang:telemetry", Asked(method="POST", url="https://o1.ingest.sentry.io/api/1"), True),
        ("hang:https://app.test/chat", REQUESTS["page"], True),  # with or without its query
        ("hang:https://app.test/chat?x?1", REQUESTS["page"], True),  # a ? stands for the URL's own =
        ("hang:https://app.test/chat?x?2", REQUESTS["page"], False),
        ("hang:https://app.test/c*", REQUESTS["page"], True),
        ("hang:*/session", REQUESTS["session"], True),
        ("hang:*.css", REQUESTS["assets"], True),
        ("hang:*.png", REQUESTS["assets"], False),
    ],
)
def test_fault_concerns_what_it_names(fault: str, asked: Asked, is_concerned: bool) -> None:
    """Session endpoints by their names, backend calls by their operations, anything else by a glob."""
    assert parse_fault(fault).concerns(asked) is is_concerned


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        ('{"type": "threads.list", "params": {}}', "threads.list"),
        (b'{"type": "items.list"}', "items.list"),
        ('{"type": 7}', ""),
        ('["threads.list"]', ""),
        ("not json", ""),
        (b"\xff\xfe\x00", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_operation_is_the_type_of_the_body(body: str | bytes | None, operation: str) -> None:
    """Whatever the body is, looking into it does no harm."""
    assert operation_of(body) == operation


# --- which one is met ---------------------------------------------------------------------------------------------


def _injector(*texts: str) -> Injector:
    return Injector(tuple(map(parse_fault, texts)))


def test_occurrences_are_counted_for_each_fault() -> None:
    """`#2` is the second request that the fault concerns, whatever else was asked in between."""
    injector = _injector("status:session#2=500", "delay:session=1s")
    met = []
    for asked in (REQUESTS["session"], REQUESTS["verify"], REQUESTS["session"], REQUESTS["session"]):
        met.append([render_fault(fault) for fault in injector.take(asked)])
    assert met == [["delay:session=1s"], [], ["status:session#2=500", "delay:session=1s"], ["delay:session=1s"]]


def test_browser_and_server_count_together() -> None:
    """What the browser breaks off counts as a request; what it lets through is counted once, by the server."""
    injector = _injector("abort:session#2=failed", "status:session#3=500")
    injector.aborts_elsewhere = True
    met = []
    for _ in range(3):
        abort = injector.take_abort(REQUESTS["session"])
        met.append(render_fault(abort) if abort else [render_fault(f) for f in injector.take(REQUESTS["session"])])
    assert met == [[], "abort:session#2=failed", ["status:session#3=500"]]


def test_server_breaks_off_what_no_browser_sends() -> None:
    """The app's own call to OpenAI is broken by the server also when a browser does the others."""
    injector = _injector("abort:openai-sessions", "abort:session")
    injector.aborts_elsewhere = True
    assert [fault.target for fault in injector.take(REQUESTS["openai-sessions"])] == ["openai-sessions"]
    assert injector.take(REQUESTS["session"]) == ()


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("hang:session", False),
        ("hang:conversation", False),
        ("hang:conversation.threads.list", True),
        ("hang:custom", True),
    ],
)
def test_bodies_are_looked_into_only_when_that_matters(text: str, needs: bool) -> None:
    """Only operations, and custom mode, are told by the body."""
    assert _injector(text).needs_operation is needs
