"""The report as one HTML file: everything escaped, one style, one script, and a policy that lets nothing else run or load.

In: a `ReportPage` and its islands. Out: the file's text, in pieces. No network, no file: it is opened from disk.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.report.islands import Island
from harness.report.page_model import ReportPage

ASSETS = Path(__file__).with_name("assets")


def render_page(page: ReportPage, islands: Iterable[Island]) -> Iterator[str]:
    """Yield the page piece by piece; an island is made when its turn comes."""
    style, script = _asset("report.css"), _asset("report.js")
    yield from _template().generate(
        page=page,
        islands=({"id": island.id, "json": Markup(island.json)} for island in islands),
        style=Markup(style),
        script=Markup(script),
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


def policy_hash(text: str) -> str:
    """Return a text's hash as a Content-Security-Policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    return environment.get_template("report.html.jinja")
