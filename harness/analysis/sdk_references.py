"""Finds the files that a file of the SDK refers to: scripts, styles, fonts, and the frame of the loader.

In: the text of an HTML, JavaScript or CSS file, and its URL. Out: references, resolved, below the CDN's base or not at all.
It parses HTML; of JavaScript and CSS it takes what has the form of a reference, for nothing less than running it tells more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from harness.model.addresses import FRAME_FILE, split_url
from harness.model.snapshot import is_safe_path

LINKED = frozenset({"modulepreload", "preload", "prefetch", "icon", "manifest", "apple-touch-icon"})
SUFFIXES = r"m?js|css|html|json|wasm|woff2?|ttf|otf|png|svg|jpe?g|gif|webp|avif|ico|mp3|mp4|webm"
IMPORTED = re.compile(r"""\b(?:from|import)\s*(?:/\*[^*]*\*/\s*)?["']((?:\.{1,2})?/[^"'\s]+)["']""")
IMPORTED_LATER = re.compile(r"""\bimport\s*\(\s*(?:/\*[^*]*\*/\s*)?["'`]((?:\.{1,2})?/[^"'`\s${}]+)["'`]""")
BESIDE_MODULE = re.compile(r"""\bnew URL\(\s*["'`]([^"'`\s${}]+)["'`]\s*,\s*import\.meta\.url""")
NAMED = re.compile(rf"""["'`]((?:\.{{1,2}}/|/)?(?:[\w@.~-]+/)*[\w@.~-]+\.(?:{SUFFIXES}))(?:\?[^"'`\s]*)?["'`]""")
QUOTED_URL = r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)"'\s]+))\s*\)"""
STYLE_IMPORT = re.compile(rf"""@import\s+(?:"([^"]*)"|'([^']*)'|{QUOTED_URL})""")
STYLE_URL = re.compile(QUOTED_URL)
STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


class Need(IntEnum):
    """How much a file needs another one."""

    NAMED = 0  # a text that looks like a path
    LATER = 1  # loaded if and when it is used: a target of `import()`, a font, a picture, a worker
    AT_ONCE = 2  # without it, the file that refers to it does not run: a static import, a script, a stylesheet


Found = list[tuple[str, Need]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A file that another one refers to."""

    path: str  # below the base, decoded
    need: Need


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What one file refers to: files below the base, and everything else that is not stored."""

    inside: tuple[Reference, ...] = ()
    outside: tuple[str, ...] = ()  # URLs elsewhere
    refused: tuple[str, ...] = ()  # below the base by name, but not by path


def references_of(text: str, *, url: str, base_url: str, kind: str) -> References:
    """Return what a file refers to. `kind`: "loader", "html", "js", "css" or anything else, which refers to nothing."""
    found = {"loader": _of_loader, "html": _of_html, "js": _of_script, "css": _of_style}.get(kind)
    inside: dict[str, Need] = {}
    outside: dict[str, None] = {}
    refused: dict[str, None] = {}
    for given, need in found(text) if found else ():
        # Bundlers list what a chunk needs from the root, without a slash: "assets/ck1/index-1a2b.js".
        is_rooted = need is Need.NAMED and given[0] not in "./"
        try:
            target = urljoin(base_url.rstrip("/") + "/" if is_rooted else url, given)
        except ValueError:  # an unclosed bracket of an IPv6 host
            continue
        scheme = split_url(target).scheme
        if scheme not in ("http", "https"):
            continue
        path = path_below(target, base_url)
        if path is None and need is not Need.NAMED:
            outside[target] = None
        elif path is not None and not is_safe_path(path):
            refused[target] = None
        elif path:
            inside[path] = max(inside.get(path, need), need)
    return References(
        inside=tuple(Reference(path=path, need=need) for path, need in inside.items()),
        outside=tuple(outside),
        refused=tuple(refused),
    )


def path_below(url: str, base_url: str) -> str | None:
    """Return the decoded path of a URL below a base, without query; None when it is not below it."""
    asked, base = split_url(url), urlsplit(base_url)
    prefix = base.path.rstrip("/") + "/"
    if (asked.scheme, asked.netloc) != (base.scheme, base.netloc) or not asked.path.startswith(prefix):
        return None
    return unquote(asked.path[len(prefix) :], errors="surrogateescape")


def kind_of(path: str, *, loader: str) -> str:
    """Return what kind of file a path names."""
    if path == loader:
        return "loader"
    suffix = path.rpartition(".")[2].lower()
    return {"mjs": "js", "htm": "html"}.get(suffix, suffix)


def frames_in(loader: str) -> tuple[str, ...]:
    """Return the files that a loader names as its frame, the one that it opens first of all."""
    return tuple(dict.fromkeys(FRAME_FILE.findall(loader)))


def _of_loader(text: str) -> Found:
    return [(name, Need.AT_ONCE) for name in frames_in(text)] + _of_script(text)


def _of_script(text: str) -> Found:
    later = [*IMPORTED_LATER.findall(text), *BESIDE_MODULE.findall(text)]
    return [
        *((name, Need.AT_ONCE) for name in IMPORTED.findall(text)),
        *((name, Need.LATER) for name in later),
        *((name, Need.NAMED) for name in NAMED.findall(text) if "/" in name),
    ]


def _of_style(text: str) -> Found:
    plain = STYLE_COMMENT.sub("", text)
    imported = [("".join(groups).strip(), Need.AT_ONCE) for groups in STYLE_IMPORT.findall(plain)]
    used = [("".join(groups).strip(), Need.LATER) for groups in STYLE_URL.findall(plain)]
    return [(name, need) for name, need in imported + used if name and not name.startswith("#")]


def _of_html(text: str) -> Found:
    parser = _Linked()
    parser.feed(text)
    parser.close()
    return parser.found


class _Linked(HTMLParser):
    """Collects what a document loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Found = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a tag loads."""
        given = {name: (value or "").strip() for name, value in attrs}
        self._inside = tag if tag in ("script", "style") else ""
        relations = given.get("rel", "").lower().split() if tag == "link" else []
        if tag == "script" and given.get("src"):
            self.found.append((given["src"], Need.AT_ONCE))
        elif "stylesheet" in relations and given.get("href"):
            self.found.append((given["href"], Need.AT_ONCE))
        elif LINKED.intersection(relations) and given.get("href"):
            self.found.append((given["href"], Need.LATER))
        elif tag in ("img", "source") and given.get("src"):
            self.found.append((given["src"], Need.LATER))

    def handle_data(self, data: str) -> None:
        """Keep what a script or a style in the document refers to."""
        if self._inside == "script":
            self.found += _of_script(data)
        elif self._inside == "style":
            self.found += _of_style(data)

    def handle_endtag(self, _tag: str) -> None:
        """Leave the script or the style."""
        self._inside = ""
