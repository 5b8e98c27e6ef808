"""Nothing secret on disk: planted secrets of every kind, in every place and encoding, over everything that a run writes."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.etree import ElementTree

import pytest

from tests.commands import TIMEOUT_S, clean_environ, run_command
from tests.ports import free_port
from tests.site import Answer, serve_site
from tests.written import CHARACTERS

ROOT = Path(__file__).parents[2]


def opaque(seed: str) -> str:
    """A value without any shape: nothing but its place tells that it is secret."""
    return base64.b32encode(seed.encode() * 3).decode().lower().rstrip("=")[:26] + "7"


# Test values only. Kinds that are known before the run, that an exchange teaches, and that have a shape of their own.
KNOWN = {
    "an API key of the environment": ("OPENAI_API_KEY", opaque("environment")),
    "a password of the environment": ("APP_PASSWORD", "pa/ss&w<o>rd'+\"=7"),
    "a token of the .env file": ("SUPABASE_TOKEN", opaque("dotenv")),
    "the password of a URL": ("DATABASE_URL", opaque("database")),
}
SHAPED = {
    "a client secret": "ek_" + "68f0c1d2e3a4b5c6d7e8_00eyJleHBpcmVzX2F0IjoxfQ==",
    "an API key": "sk-" + "proj-4f7Qm2ZxW9vBk3LmNp",
    "a JWT": ".".join(("eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0NTYifQ", "c2lnbmF0dXJlLW9ubHk")),
}
TAUGHT = {
    "a client secret under its key": opaque("client_secret"),
    "an access token": opaque("access_token"),
    "a refresh token in a URL": opaque("refresh_token"),
    "a bearer": opaque("bearer"),
    "a key in a header": opaque("x-api-key"),
    "a CSRF token": opaque("x-csrf-token"),
    "a password in a form": opaque("password"),
    "a cookie of the page": opaque("document.cookie"),
    "a cookie for HTTP only": opaque("set-cookie"),
}
SECRETS = {name: value for name, (_, value) in KNOWN.items()} | SHAPED | TAUGHT

PAGE = """<!doctype html><title>planted</title><link rel="icon" href="data:,">
<form><input id="field"><textarea id="area"></textarea></form><p id="text"></p><button>Write</button>
<script type="module">
const secrets = JSON.parse(atob("ISLAND"));
const taught = secrets.taught;
const all = Object.values(secrets.all);
const b64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const html = (text) => { const p = document.createElement("p"); p.textContent = text; p.title = text; return p.outerHTML; };
const written = (s) => [s, encodeURIComponent(s), new URLSearchParams({ s }).toString(), JSON.stringify({ s }),
  JSON.stringify(JSON.stringify({ s })),
  html(s), b64(s), b64(`user:${s}`), b64(JSON.stringify({ key: s })), b64(`?${s}`).replaceAll("+", "-").replaceAll("/", "_")];
const everything = all.flatMap(written);
document.cookie = `sid=${taught["a cookie of the page"]}; path=/`;
await fetch("/cookie");
await fetch("/session", { method: "POST" });
await fetch(`/callback?refresh_token=${taught["a refresh token in a URL"]}`);
await fetch("/form", { method: "POST", body: new URLSearchParams({ user: "me", password: taught["a password in a form"] }) });
await fetch("/api", { headers: { authorization: `Bearer ${taught["a bearer"]}`, "x-api-key": taught["a key in a header"],
  "x-csrf-token": taught["a CSRF token"] } });
window.teach = true;
document.querySelector("button").onclick = async () => {
  for (const text of everything) console.log("console " + text);
  console.error({ in: "an object", all }, all);
  for (const s of all) {
    const all = encodeURIComponent(written(s).join(" "));
    await fetch(`/in-url?plain=${encodeURIComponent(s)}&packed=${encodeURIComponent(b64(s))}&all=${all}`);
    await fetch("/in-body", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(written(s)) });
    await fetch("/in-header", { headers: { "x-note": b64(s), "x-plain": encodeURIComponent(s), "x-all": all } });
  }
  for (const format of ["gzip", "deflate", "deflate-raw"]) {
    const packed = new Response(new Blob([everything.join("\\n")]).stream().pipeThrough(new CompressionStream(format)));
    await fetch("/packed", { method: "POST", body: await packed.arrayBuffer() });
  }
  for (const path of ["", ".gz", ".zz", "-in-pieces", "-as-events"]) await (await fetch("/everything" + path)).text();
  text.textContent = everything.join(" ");
  text.dataset.all = everything.join(" ");
  document.body.append(document.createComment(everything.join(" ").replaceAll("--", "- -")));
  field.value = all.join(" ");
  area.value = all.join("\\n");
  const frame = document.createElement("iframe");
  frame.srcdoc = html(all.join(" "));
  frame.name = all[0];
  document.body.append(frame);
  const other = document.createElement("iframe");
  other.src = "/frame#" + b64(JSON.stringify({ all }));
  document.body.append(other);
  history.replaceState(null, "", "#" + encodeURIComponent(all.join(" ")));
  document.title = all.join(" ");
  setTimeout(() => { throw new Error("uncaught " + all.join(" ")); });
  Promise.reject(new Error("rejected " + everything.join(" ")));
  await new Promise((done) => setTimeout(done, 50));
  window.done = true;
};
</script>"""

SUITE = """
import json
import os
import sys
from pathlib import Path

import pytest

SECRETS = json.loads(os.environ["PLANTED"])


def opened(chatkit):
    visit = chatkit.open(os.environ["SITE"])
    visit.page.wait_for_function("window.teach")
    visit.learn_secrets()
    visit.page.get_by_role("button").click()
    visit.page.wait_for_function("window.done")
    return visit


def test_failing_by_comparing(chatkit):
    opened(chatkit)
    print("printed", SECRETS)
    print("printed to stderr", list(SECRETS.values()), file=sys.stderr)
    secrets = list(SECRETS.values())
    assert secrets == ["x"]


@pytest.mark.parametrize("name", list(SECRETS))
def test_each(chatkit, name):
    chatkit.open(os.environ["SITE"]).page.wait_for_function("window.teach")
    secret = SECRETS[name]
    assert secret == "something else that is about as long as a secret"


@pytest.mark.flaky(reruns=0)
def test_raising(chatkit):
    visit = opened(chatkit)
    visit.page.locator("#field").fill(" ".join(SECRETS.values()))
    visit.wait_until_decided()
    raise RuntimeError("it went wrong with " + " and ".join(SECRETS.values()))
"""


def answers() -> dict[str, Answer]:
    """What the site answers: the page, what teaches secrets, and what repeats them."""
    island = base64.b64encode(json.dumps({"all": SECRETS, "taught": TAUGHT}).encode()).decode()
    everything = "\n".join(text for value in SECRETS.values() for text in written(value)).encode()
    session = {"client_secret": TAUGHT["a client secret under its key"], "access_token": TAUGHT["an access token"]}
    ok = Answer(media_type="text/plain", body=b"ok")
    return {
        "/": Answer(body=PAGE.replace("ISLAND", island).encode()),
        "/session": Answer(media_type="application/json", body=json.dumps(session).encode()),
        "/cookie": Answer(headers=(("set-cookie", f"session={TAUGHT['a cookie for HTTP only']}; HttpOnly; Path=/"),)),
        "/everything": Answer(media_type="text/plain", body=everything),
        "/everything.gz": Answer(
            media_type="text/plain", body=gzip.compress(everything), headers=(("content-encoding", "gzip"),)
        ),
        "/everything.zz": Answer(
            media_type="text/plain", body=zlib.compress(everything), headers=(("content-encoding", "deflate"),)
        ),
        # Each secret is in two chunks, somewhere.
        "/everything-in-pieces": Answer(media_type="application/octet-stream", pieces=halves(everything)),
        "/everything-as-events": Answer(
            media_type="text/event-stream",
            body=b"".join(b"data: " + line + b"\n\n" for line in everything.split(b"\n")),
        ),
        "/frame": Answer(body=b"<!doctype html><title>frame</title>a frame"),
    } | dict.fromkeys(("/callback", "/form", "/api", "/in-url", "/in-body", "/in-header", "/packed"), ok)


def halves(content: bytes) -> tuple[bytes, bytes]:
    """Two pieces, cut in the middle of a secret."""
    at = content.index(SHAPED["a JWT"].encode()) + 20
    return content[:at], content[at:]


def written(value: str) -> list[str]:
    """A value as servers write it: as it is, and in the base64 of something longer."""
    longer = (value, f"user:{value}", f"?{value}!", json.dumps({"key": value, "n": 1}), f"ä{value}ö")
    return [
        *(write(value) for write in CHARACTERS.values()),
        *(base64.b64encode(text.encode()).decode() for text in longer),
        *(base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in longer),
    ]


def encodings(value: str) -> list[str]:
    """Every way in which a value may be written, worked out here for itself and not by the code under test."""
    content = value.encode()
    packed = [
        base64.b64encode(b"x" * n + content)[4 * -(-n // 3) : len(base64.b64encode(b"x" * n + content)) // 4 * 4 - 4]
        for n in range(3)
    ]
    return [
        value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], html.escape(value),
        html.escape(value, quote=False), *(write(value) for write in CHARACTERS.values()), *(text.decode() for text in packed),
        *(text.decode().translate(str.maketrans("+/", "-_")) for text in packed),
    ]  # fmt: skip


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file with its name, what is in archives and compressed included."""
    for file in path.rglob("*"):
        if file.is_file():
            yield from unpacked(str(file.relative_to(path)), file.read_bytes())


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The content, and what is inside of it."""
    yield name, content
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from unpacked(f"{name}!{member}", archive.read(member))
    elif content[:2] == b"\x1f\x8b":
        yield from unpacked(f"{name}!", gzip.decompress(content))


def found(text: bytes) -> list[str]:
    """Kinds and encodings of the planted secrets in some bytes."""
    return [
        f"{name} ({number})"
        for name, value in SECRETS.items()
        for number, written in enumerate(encodings(value))
        if len(written) > 10 and written.encode() in text
    ]


# A web server of the project's own, which says what it knows before it is ready.
SERVER = """
import json, os, sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
server = HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler)
for value in json.loads(os.environ["PLANTED"]).values():
    print("knows", value, file=sys.stderr)
print("ready", flush=True)
server.serve_forever()
"""
CONFIG = """
workers = 2
retries = 1
test_dir = "tests"
[use]
trace = "on"
trace_screenshots = true
[projects.app]
network = "live"
web_server = {{ command = "{python} -u server.py {port}", url = "http://127.0.0.1:{port}", log_ready = "ready" }}
"""


def run_planted(folder: Path, site: str) -> subprocess.CompletedProcess[str]:
    """Run the suite on the site as a gate, with the known secrets in the environment and in `.env`."""
    (folder / "tests").mkdir()
    folder.joinpath("tests", "test_planted.py").write_text(SUITE, encoding="utf-8")
    folder.joinpath("server.py").write_text(SERVER, encoding="utf-8")
    folder.joinpath(".env").write_text(f"SUPABASE_TOKEN={KNOWN['a token of the .env file'][1]}\n", encoding="utf-8")
    config = CONFIG.format(python=sys.executable, port=free_port())
    folder.joinpath("playwright.config.toml").write_text(config, encoding="utf-8")
    environ = {
        "OPENAI_API_KEY": KNOWN["an API key of the environment"][1],
        "APP_PASSWORD": KNOWN["a password of the environment"][1],
        "DATABASE_URL": f"postgres://me:{KNOWN['the password of a URL'][1]}@db.test/app",
        "PLANTED": json.dumps(SECRETS),
        "SITE": site,
    }
    return run_command("gate", "-k", "not each or client", "--", "-l", "-rA", cwd=folder, **environ)


def test_no_planted_secret_is_found_in_anything_that_a_run_leaves(tmp_path: Path) -> None:
    """16 kinds, in URLs, headers, bodies, forms, console, DOM, frames, errors, prints and comparisons: 0 hits.

    With two workers, a retry, traces and a server's own log; on the terminal too. The search at the end agrees.
    """
    assert len(SECRETS) >= 12
    with serve_site(answers()) as site:
        done = run_planted(tmp_path, site)
    told = done.stdout + done.stderr
    assert done.returncode == 1, told[-6_000:]
    assert "SECRET FOUND" not in told
    assert "redacted after the run" not in told
    run = (tmp_path / "test-results" / "latest").resolve()
    names = {path.name for path in run.rglob("*")}
    assert names >= {
        "trace.zip",
        "network.har",
        "dom.html",
        "console.log",
        "result.json",
        "timeline.jsonl",
        "tests.jsonl",
        "junit.xml",
        "pytest.log",
        "web-server.log",
        "error-context.md",
    }
    assert b"printed" in (run / "pytest.log").read_bytes()
    assert (run / "web-server.log").read_bytes().count(b"knows <redacted:") >= len(KNOWN) + len(SHAPED)
    everything = [("terminal", told.encode()), *contents(tmp_path / "test-results")]
    assert len(everything) > 60
    assert {name: kinds for name, content in everything if (kinds := found(content))} == {}
    assert b"<redacted:" in (run / "junit.xml").read_bytes() or b"&lt;redacted:" in (run / "junit.xml").read_bytes()


def test_the_test_itself_can_fail() -> None:
    """What is planted is found when nothing redacts it: in text, in gzip, in an archive inside of an archive."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.txt", gzip.compress(SHAPED["a JWT"].encode()))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    hits = [(name, found(content)) for name, content in unpacked("outer.zip", outer.getvalue()) if found(content)]
    assert hits == [("outer.zip!inner.zip!a.txt!", ["a JWT (0)", *hits[0][1][1:]])]
    for value in SECRETS.values():
        for written in encodings(value):
            assert found(f"before{written}after".encode()) or len(written) <= 10


PLANTING = """
import base64, gzip, io, os, zipfile
from pathlib import Path


def test_plants(chatkit, output_path):
    visit = chatkit.open("topic-generation")
    visit.finish()
    folder = Path(output_path)
    secret = os.environ["APP_TOKEN"]
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        if file.suffix == ".zip":
            with zipfile.ZipFile(file, "a") as archive:
                archive.writestr("resources/planted", secret)
        else:
            file.write_bytes(file.read_bytes() + secret.encode())
    (folder / "plain.txt").write_text("x" + secret)
    (folder / "clean.txt").write_text("nothing here")
    (folder / "packed.gz").write_bytes(gzip.compress(secret.encode()))
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep.txt", base64.b64encode(b"user:" + secret.encode()))
    with zipfile.ZipFile(folder / "outer.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    (folder / "utf16.txt").write_bytes(secret.encode("utf-16"))
    (folder / "shape.txt").write_text("ek_" + "4f7qm2zxw9vb11aa")
"""
PLANTED_FILES = {
    "plain.txt", "packed.gz", "outer.zip", "utf16.txt", "shape.txt",
    "timeline.jsonl", "result.json", "network.har", "dom.html", "console.log", "screenshot-page.png", "trace.zip",
}  # fmt: skip


@pytest.mark.parametrize("how", ["pytest", pytest.param("gate", marks=pytest.mark.soak)])
def test_what_is_planted_after_redaction_is_found_deleted_and_exit_code_10(tmp_path: Path, how: str) -> None:
    """Each file is named with the kind of the secret, never its value; what holds none stays."""
    token = opaque("planted")
    done = plant(tmp_path, token, how)
    told = done.stdout + done.stderr
    assert done.returncode == 10, told
    assert "SECRET FOUND" in told
    assert token not in told
    left = {path.name for path in (tmp_path / "test-results" / "latest").rglob("*")}
    assert not left & PLANTED_FILES
    assert {"clean.txt", "tests.jsonl", "junit.xml"} <= left
    for name in PLANTED_FILES:
        assert f"/{name}" in told
    assert "plain.txt: token, known before the run" in told
    assert "outer.zip!inner.zip!deep.txt: token, known before the run" in told
    assert "trace.zip!resources/planted: token, known before the run" in told
    assert "shape.txt: client_secret, recognised by its shape" in told
    if how == "gate":
        assert "gate: failed: a secret was found in the files of the run" in told


@pytest.mark.parametrize("how", [pytest.param("pytest", marks=pytest.mark.soak), "gate"])
def test_without_the_search_the_run_says_so_loudly(tmp_path: Path, how: str) -> None:
    """Nothing is deleted, the exit code is that of the tests, and nobody can overlook it."""
    done = plant(
        tmp_path, opaque("planted"), how, "--chatkit-no-secret-scan" if how == "pytest" else "--no-secret-scan"
    )
    assert done.returncode == 0, done.stdout
    assert "NOT searched for secrets" in done.stdout
    told = (tmp_path / "test-results" / "latest" / "secret-scan.txt").read_text(encoding="utf-8")
    assert "NOT searched for secrets" in told
    assert {path.name for path in (tmp_path / "test-results" / "latest").rglob("*")} >= PLANTED_FILES


def plant(folder: Path, token: str, how: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the test that writes secrets of its own into its output folder."""
    tests = folder / "tests" / "e2e"
    tests.mkdir(parents=True)
    tests.joinpath("test_it.py").write_text(PLANTING, encoding="utf-8")
    folder.joinpath("playwright.config.toml").write_text('[use]\ntrace = "on"\n', encoding="utf-8")
    if how == "gate":
        return run_command("gate", "-k", "plants", *arguments, cwd=folder, APP_TOKEN=token)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=clean_environ() | {"APP_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_secret_in_the_name_of_a_test_is_redacted_in_the_reports(tmp_path: Path) -> None:
    """A parametrised value stands in the test's id: JUnit still parses, and the run is not failed for it."""
    key = SHAPED["an API key"]
    test = f"import pytest\n\n@pytest.mark.parametrize('key', [{key!r}])\ndef test_it(key):\n    assert key\n"
    tmp_path.joinpath("test_it.py").write_text(test, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (case,) = ElementTree.parse(tmp_path / "test-results" / "junit.xml").iter("testcase")
    assert case.get("name") == "test_it[<redacted:api_key:1>]"
    lines = (tmp_path / "test-results" / "latest" / "tests.jsonl").read_text(encoding="utf-8")
    assert json.loads(lines)["nodeid"] == "test_it.py::test_it[<redacted:api_key:1>]"


def test_a_secret_that_is_a_word_is_not_replaced_and_the_run_says_why(tmp_path: Path) -> None:
    """One character, or a word that stands everywhere: replacing it would take every report apart."""
    tmp_path.joinpath("test_it.py").write_text("def test_it():\n    assert 'password' == 'p'\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environ() | {"APP_PASSWORD": "password", "DATABASE_URL": "postgres://me:p@db.test/app"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "assert 'password' == 'p'" in done.stdout
    assert "not redacted: a secret of the kind password, because it is a common word" in done.stdout
    assert "not redacted: a secret of the kind password, because it is shorter than 6 characters" in done.stdout
