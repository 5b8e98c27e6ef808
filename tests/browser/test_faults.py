"""Faults on other people's pages: named or in the language, from a test and from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness import Chatkit, expect
from harness.errors import ConfigError
from harness.model.timeline import read_timeline
from harness.servers.scenarios import scenario_named
from harness.servers.server import Stack, serve_stack
from tests.commands import TIMEOUT_S, run_command
from tests.site import Answer, serve_site

PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
<style>openai-chatkit { width: 400px; height: 500px }</style>
<script src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js"></script>
</head>
<body>
<p id="said">nothing was said</p>
<script>
const say = (text) => { document.getElementById('said').textContent = text; };
const getClientSecret = async () => {
  const response = await fetch('/api/chatkit/session', { method: 'POST' });
  if (!response.ok) { say(`session: ${response.status} ${await response.text()}`); throw new Error('no session'); }
  return (await response.json()).client_secret;
};
const element = document.createElement('openai-chatkit');
if (element.setOptions) element.setOptions({ api: { getClientSecret }, history: { enabled: false } });
document.body.append(element);
</script>
</body>
</html>
"""
PIECES = tuple(b"data: %d\n\n" % number for number in range(4))
READ_EVENTS = """async () => {
  const response = await fetch('/events'), reader = response.body.getReader(), arrivals = [];
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { text, arrivals, broken: response.headers.get('x-broken') };
    arrivals.push(performance.now());
    text += new TextDecoder().decode(value);
  }
}"""
COOKIE = ("set-cookie", "sid=7; HttpOnly; Path=/; SameSite=Lax")


@pytest.fixture
def stack(chatkit_stack: Callable[[], Stack]) -> Stack:
    """OpenAI's side of the visits, with nothing wrong."""
    running = chatkit_stack()
    running.use(scenario_named("healthy"))
    return running


@contextmanager
def shop(stack: Stack, more: Mapping[str, Answer] | None = None) -> Iterator[str]:
    """Yield the URL of a page of somebody else, whose backend hands out a session of the stack."""
    created = httpx.post(
        f"{stack.api_url}/v1/chatkit/sessions",
        json={"workflow": {"id": "wf_test_topic_generation"}, "user": "u"},
        headers={"authorization": "Bearer sk-test-topic-project", "openai-beta": "chatkit_beta=v1"},
        trust_env=False,
        timeout=TIMEOUT_S,
    )
    secret = json.dumps({"client_secret": created.json()["client_secret"]}).encode()
    answers = {
        "/": Answer(body=PAGE, headers=(COOKIE,)),
        "/api/chatkit/session": Answer(body=secret, media_type="application/json"),
        "/events": Answer(pieces=PIECES, media_type="text/event-stream"),
        "/who": Answer(echoes_cookies=True, media_type="text/plain"),
    }
    with serve_site(answers | dict(more or {})) as site:
        yield site


def test_page_without_a_fault_mounts(chatkit: Chatkit, stack: Stack) -> None:
    """What the other tests break is whole."""
    with shop(stack) as site:
        expect(chatkit.open(f"{site}/")).to_be_mounted()


@pytest.mark.parametrize(
    ("fault", "reason", "milestone"),
    [
        ("session-401", "session-refused", "frame-booted"),
        ("session-html", "session-refused", "frame-booted"),
        ("script-blocked", "script-failed", "script-requested"),
        ("status:script=404", "script-failed", "script-requested"),
        ("truncate:script=500", "script-failed", "script-requested"),
        ("frame-400", "frame-failed", "options-accepted"),
        ("frame-csp", "frame-failed", "options-accepted"),
        ("entry-404", "frame-silent", "frame-delivered"),
    ],
)
def test_fault_breaks_the_page_as_its_name_says(
    chatkit: Chatkit, stack: Stack, fault: str, reason: str, milestone: str
) -> None:
    """The page's own document and session, and what it has of OpenAI's, can all be broken."""
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault=fault)
        expect(embed).not_to_be_mounted(reason=reason, last_milestone=milestone)
        embed.finish()
    lines = read_timeline((embed.folder / "timeline.jsonl").read_text(encoding="utf-8").splitlines())
    assert "FaultInjected" in {type(line.event).__name__ for line in lines}


def test_page_is_told_the_status_and_can_say_so(chatkit: Chatkit, stack: Stack) -> None:
    """A test of the page's own error handling: what it shows when its session endpoint fails."""
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault="status:session=429")
        expect(embed.page.locator("#said")).to_have_text('session: 429 {"error":"Too Many Requests"}')


def test_second_request_is_left_alone(chatkit: Chatkit, stack: Stack) -> None:
    """`#1` is over after the first."""
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault="status:session#1=500")
        expect(embed.page.locator("#said")).to_contain_text("session: 500")
        status = embed.page.evaluate("fetch('/api/chatkit/session', {method: 'POST'}).then((r) => r.status)")
    assert status == 200


def test_stream_keeps_its_chunks_and_their_times(chatkit: Chatkit, stack: Stack) -> None:
    """What is altered passes the forwarder piece by piece."""
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault="header:*/events=x-broken: yes")
        got = embed.page.evaluate(READ_EVENTS)
    assert got["text"] == b"".join(PIECES).decode()
    assert got["broken"] == "yes"
    assert len(got["arrivals"]) == len(PIECES)
    assert got["arrivals"][-1] - got["arrivals"][0] >= 400


def test_cookies_are_the_pages_own(chatkit: Chatkit, stack: Stack) -> None:
    """Those that an altered answer sets are there for the next request, altered or not, and for no other host."""
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault="header:page=x-altered: yes")
        plain = embed.page.evaluate("fetch('/who').then((r) => r.text())")
        cookies = embed.page.context.cookies()
    assert plain == "sid=7"
    assert [(c["name"], c["value"], c["httpOnly"], c["sameSite"]) for c in cookies if c["name"] == "sid"] == [
        ("sid", "7", True, "Lax")
    ]
    with shop(stack) as site:
        embed = chatkit.open(f"{site}/", fault="delay:*/who=1ms")
        assert embed.page.evaluate("fetch('/who').then((r) => r.text())") == "sid=7"


def test_fault_adds_to_a_scenario(chatkit: Chatkit) -> None:
    """On the embedded page a fault comes on top of what the scenario breaks, and can take that back."""
    expect(chatkit.open("topic-generation", fault="frame-400")).not_to_be_mounted(reason="frame-failed")
    expect(chatkit.open("topic-generation", scenario="frame-400", fault="frame=healthy")).to_be_mounted()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("session-4001", "nearest:  session-401"),
        ("stauts:session=401", "nearest:  status"),
        ("openai-down", "it cannot be injected from the browser"),
    ],
)
def test_fault_that_cannot_be_is_refused(chatkit: Chatkit, stack: Stack, fault: str, words: str) -> None:
    """Before any page is opened."""
    with shop(stack) as site, pytest.raises(ConfigError, match=words):
        chatkit.open(f"{site}/", fault=fault)


def test_check_injects_a_fault(tmp_path: Path) -> None:
    """`check --fault` on a page that works says why it does not now; a mistyped name is answered with the nearest."""
    with serve_stack(scenario=scenario_named("healthy"), is_for_people=True) as stack:
        command = ("check", f"{stack.app_url}/test-chatkit", "--click", "Topic Generation", "--fault")
        broken = run_command(*command, "session-401", "--json", cwd=tmp_path)
        mistyped = run_command(*command, "sesion-401", cwd=tmp_path)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    result = json.loads(broken.stdout)
    assert (result["reason"], result["last_milestone"]) == ("session-refused", "element-defined")
    assert mistyped.returncode == 4
    assert "there is no fault 'sesion-401'" in mistyped.stderr
    assert "session-401" in mistyped.stderr


def test_faults_are_listed(tmp_path: Path) -> None:
    """Names, verbs and targets."""
    done = run_command("faults", cwd=tmp_path, COLUMNS="200")
    assert done.returncode == 0
    for word in ("session-401", "status:session=401", "truncate", "openai-sessions"):
        assert word in done.stdout
