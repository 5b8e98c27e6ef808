"""Clicks on the button that opens the chat, on server-rendered apps: how many are lost, how many come twice.

    python benchmarks/clicks_apps.py [--visits 200] [--load 0] [--apps next,nuxt,sveltekit] [--way production] [--python FILE]

The button is in the server's HTML long before its handler. On some pages the handler comes with hydration, on others by a dynamic
import 0.3, 1 and 3 s later, and some buttons are toggles. Each app's handler counts its calls in the attribute `data-presses`: 0 is
a lost click, more than 1 a double one. `--load N` keeps N processes busy meanwhile; `--python` is the interpreter of another
installation of chatkit-harness to measure. Needs Node.js and npm, and installs the apps when they are not there. Exit code 1 when
a click was lost or came twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.soak import busy
from tests.apps import APPS
from tests.apps.gates import write_project
from tests.commands import clean_environ

PAGES = (
    ("/", "Open chat"),
    ("/toggle", "Toggle chat"),
    ("/late?ms=300", "Open chat"),
    ("/late?ms=1000", "Open chat"),
    ("/late?ms=3000", "Open chat"),
)
VISIT_TIMEOUT_S = 120
TEST = '''
import json
from pathlib import Path

import pytest

from harness import EmbedError, expect

PAGES = {pages!r}


@pytest.mark.parametrize("number", range({visits}))
def test_click(chatkit, number):
    """One visit with a click, and how many of them the page's handler got."""
    page, name = PAGES[number % len(PAGES)]
    embed = chatkit.open({url!r} + page, click=name)
    try:
        expect(embed).to_be_mounted()
    except EmbedError:
        pass
    result = embed.result()
    presses = embed.page.get_by_role("button", name=name).get_attribute("data-presses", timeout=10_000)
    row = {{"page": page, "presses": int(presses or 0), "is_mounted": result.is_mounted, "reason": result.reason}}
    with Path("clicks.jsonl").open("a") as lines:
        lines.write(json.dumps(row) + "\\n")
'''


def clicks(app: str, way: str, visits: int, folder: Path, python: str) -> list[dict[str, object]]:
    """Return a row for each visit: the page, and how many clicks its handler got."""
    folder.mkdir()
    url = write_project(app, way, "hosted", folder, fault="", page="/", click="Open chat")
    tests = folder / "tests" / "e2e"
    tests.mkdir(parents=True)
    (tests / "test_clicks.py").write_text(TEST.format(pages=PAGES, visits=visits, url=url), encoding="utf-8")
    done = subprocess.run(
        [python, "-m", "harness.cli", "gate", "--project", "app", "-k", "click", "--trace", "off"],
        cwd=folder,
        env=clean_environ(),
        stdout=(folder / "gate.log").open("wb"),
        stderr=subprocess.STDOUT,
        timeout=300 + visits * VISIT_TIMEOUT_S,
        check=False,
    )
    lines = folder / "clicks.jsonl"
    if done.returncode:
        print(f"the gate ended with exit code {done.returncode}: {folder / 'gate.log'}", flush=True)
    return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] if lines.exists() else []


def main() -> None:
    """Visit, count, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=200, help="in all, over the apps")
    parser.add_argument("--load", type=int, default=0, help="how many processes burn processor time meanwhile")
    rendered = ",".join(app.name for app in APPS.values() if app.is_server_rendered)
    parser.add_argument("--apps", default=rendered)
    parser.add_argument("--way", default="production", choices=("production", "development"))
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    apps = options.apps.split(",")
    folder = Path(tempfile.mkdtemp(prefix="chatkit-clicks-"))
    bad = 0
    with busy(options.load):
        for number, app in enumerate(apps):
            visits = options.visits // len(apps) + (number < options.visits % len(apps))
            rows = clicks(app, options.way, visits, folder / app, options.python)
            lost = Counter(row["page"] for row in rows if row["presses"] == 0)
            double = Counter(row["page"] for row in rows if int(str(row["presses"])) > 1)
            other = Counter(str(row["reason"]) for row in rows if row["presses"] == 1 and not row["is_mounted"])
            bad += lost.total() + double.total() + (visits - len(rows)) + other.total()
            print(
                f"{app} {options.way}, load {options.load}: {len(rows)} of {visits} visits, {lost.total()} lost {dict(lost)},"
                f" {double.total()} double {dict(double)}, clicked once and not mounted: {dict(other)}",
                flush=True,
            )
    print(f"{options.visits} visits: {bad} bad; {folder}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
