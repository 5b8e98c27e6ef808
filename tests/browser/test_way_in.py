"""How a visit gets to the chat, through the command: added headers, a saved sign-in, and steps on what cannot be acted on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.commands import run_command
from tests.site import Answer, serve_site

HEADER = "x-preview"


def moved(to: str) -> Answer:
    """Return a redirect."""
    return Answer(status=302, headers=(("location", to), ("access-control-allow-origin", "*")))


def page(body: str) -> Answer:
    """Return a document."""
    return Answer(body=f"<!doctype html><title>Shop</title>{body}".encode())


def test_an_added_header_goes_to_the_pages_own_origin_and_ends_at_a_redirect(tmp_path: Path) -> None:
    """A header that signs in must not reach anybody else, not even by way of the page's own server."""
    theirs: dict[str, dict[str, str]] = {}
    ours: dict[str, dict[str, str]] = {}
    with serve_site({path: page("") for path in ("/api", "/landing", "/signed-out")}, got=theirs) as other:
        answers = {
            "/chat": page(
                f"<iframe src=/frame></iframe><img src=/pixel><script>fetch('/own'); fetch('/near'); fetch('/away', {{mode: 'no-cors'}});"
                f"fetch('{other}/api', {{mode: 'no-cors'}});</script>"
            ),
            "/near": moved("/there"),
            "/away": moved(f"{other}/landing"),
            **{path: page("") for path in ("/frame", "/own", "/there")},
        }
        with serve_site(answers, got=ours) as own:
            run_command("check", f"{own}/chat", "--header", "X-Preview: of-monday", cwd=tmp_path)
    for path in ("/chat", "/frame", "/own", "/near", "/there", "/away", "/pixel"):
        assert ours[path].get(HEADER) == "of-monday", path
    for path in ("/api", "/landing"):
        assert HEADER not in theirs[path], path


def test_a_page_that_redirects_to_a_sign_in_elsewhere_does_not_take_the_header_along(tmp_path: Path) -> None:
    """The document itself, too."""
    theirs: dict[str, dict[str, str]] = {}
    ours: dict[str, dict[str, str]] = {}
    with (
        serve_site({"/login": page("sign in")}, got=theirs) as other,
        serve_site({"/chat": moved(f"{other}/login")}, got=ours) as own,
    ):
        run_command("check", f"{own}/chat", "--header", "X-Preview: of-monday", cwd=tmp_path)
    assert ours["/chat"].get(HEADER) == "of-monday"
    assert HEADER not in theirs["/login"]


def test_a_saved_sign_in_is_used_and_one_that_has_expired_is_an_error(tmp_path: Path) -> None:
    """The cookie reaches the page; what has expired is told before a browser starts."""
    got: dict[str, dict[str, str]] = {}
    cookie = {"name": "sid", "value": "of-ada", "domain": "127.0.0.1", "path": "/", "httpOnly": True, "secure": False,
              "sameSite": "Lax"}  # fmt: skip
    states = {"good": {**cookie, "expires": time.time() + 3_600}, "old": {**cookie, "expires": time.time() - 3_600}}
    for name, saved in states.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"cookies": [saved], "origins": []}), encoding="utf-8")
    with serve_site({"/chat": page("signed in")}, got=got) as own:
        run_command("check", f"{own}/chat", "--storage-state", "good.json", cwd=tmp_path)
        refused = run_command("check", f"{own}/chat", "--storage-state", "old.json", cwd=tmp_path)
    assert got["/chat"]["cookie"] == "sid=of-ada"
    assert refused.returncode == 4, refused.stdout + refused.stderr
    assert "old.json has expired" in refused.stderr


UNREACHABLE = {
    "covered": ("<button>Chat</button><div style='position:fixed;inset:0'>wait</div>", "click=Chat", "covers it"),
    "disabled": ("<button disabled>Chat</button>", "click=Chat", "disabled"),
    "in a closed root": (
        "<div id=host></div><script>host.attachShadow({mode: 'closed'}).innerHTML = '<button>Chat</button>'</script>",
        "click=Chat",
        "Chat",
    ),
    "no such field": ("<label>Mail <input></label>", "fill=Email=ada", "Mail"),
    "no such option": ("<label>Topic <select><option>Tea</select></label>", "select=Topic=Milk", "Tea"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("covered", "no such option") else pytest.mark.soak)
        for name in UNREACHABLE
    ],
)
def test_a_step_that_cannot_be_done_says_what_there_is(tmp_path: Path, name: str) -> None:
    """One error that names the step and what is there instead, and the exit code of a page that cannot be visited."""
    body, step, told = UNREACHABLE[name]
    with serve_site({"/chat": page(body)}) as own:
        done = run_command("check", f"{own}/chat", "--step", step, cwd=tmp_path)
    assert done.returncode == 14, done.stdout + done.stderr
    assert told in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_step_reaches_into_a_frame(tmp_path: Path) -> None:
    """What is on the page only inside of a frame is found there."""
    asked: list[str] = []
    frame = page("<button onclick=\"fetch('/opened')\">Chat</button>")
    with serve_site(
        {"/chat": page("<iframe src=/frame></iframe>"), "/frame": frame, "/opened": page("")}, asked
    ) as own:
        run_command("check", f"{own}/chat", "--step", "click=Chat", cwd=tmp_path)
    assert asked.count("/opened") == 1
