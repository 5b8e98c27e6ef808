"""Which files the SDK's files refer to, in the forms that bundlers write."""

from __future__ import annotations

import pytest

from harness.analysis.sdk_references import References, frames_in, kind_of, path_below, references_of

BASE = "https://cdn.test"
ENTRY = f"{BASE}/assets/ck1/index-1.js"


def found(text: str, kind: str, url: str = ENTRY, base: str = BASE) -> References:
    """Return what a text refers to."""
    return references_of(text, url=url, base_url=base, kind=kind)


def paths(references: References) -> dict[str, bool]:
    """Return the paths below the base, and whether each is certain."""
    return {reference.path: reference.is_certain for reference in references.inside}


@pytest.mark.parametrize(
    ("text", "path", "is_certain"),
    [
        ('import{a as b}from"./chunk-2.js";', "assets/ck1/chunk-2.js", True),
        ("import './side.js'", "assets/ck1/side.js", True),
        ("export * from '../shared/x.mjs'", "assets/shared/x.mjs", True),
        ("const m = () => import(`./lazy-3.js`)", "assets/ck1/lazy-3.js", True),
        ("import(/* webpackChunkName: 'a' */ './lazy.js')", "assets/ck1/lazy.js", True),
        ('new URL("worker-1.js", import.meta.url)', "assets/ck1/worker-1.js", True),
        ('d=["assets/ck1/a-1.js","assets/ck1/a-1.css"]', "assets/ck1/a-1.css", False),
        ('x="/assets/ck1/logo.svg?v=1"', "assets/ck1/logo.svg", False),
        ('x="./locale/de.json"', "assets/ck1/locale/de.json", False),
    ],
)
def test_scripts_import_and_name_files(text: str, path: str, is_certain: bool) -> None:
    """An import is certain; a text that looks like a path is not."""
    assert paths(found(text, "js"))[path] is is_certain


@pytest.mark.parametrize(
    "text",
    [
        'x="index.js"',
        'x="https://elsewhere.test/a/b.js"',
        'from"react"',
        "import(`./${name}.js`)",
        'x="a/b.txt"',
        "a/b.js",
    ],
)
def test_what_only_resembles_a_reference_is_none(text: str) -> None:
    """Packages, templates, bare names, other types, and what is not a text."""
    assert paths(found(text, "js")) == {}


def test_a_frame_loads_what_its_tags_say() -> None:
    """Scripts, styles, preloads, pictures, and what stands in a script or a style of its own; a link to click is not loaded."""
    html = """<!doctype html><script type=module src="/assets/ck1/index-1.js"></script>
      <link rel="stylesheet" href="/assets/ck1/index-1.css"><link rel=modulepreload href="../../assets/ck1/a.js">
      <link rel=canonical href="/no.html"><a href="/no-2.html">x</a><img src="pic.png">
      <script>import("/assets/ck1/inline.js")</script><style>@font-face{src:url(/f.woff2)}</style>"""
    found_here = paths(found(html, "html", f"{BASE}/deployments/chatkit/index-1.html"))
    assert found_here == dict.fromkeys(
        ["assets/ck1/index-1.js", "assets/ck1/index-1.css", "assets/ck1/a.js", "deployments/chatkit/pic.png",
         "assets/ck1/inline.js", "f.woff2"],
        True,
    )  # fmt: skip


def test_styles_refer_by_url_and_import() -> None:
    """With and without quotes; comments, data and fragments are nothing."""
    css = """@import "more.css"; a{background:url('i.png')} b{src:url( f.woff2 )} c{d:url("x.svg#y")}
      /* url(old.png) */ e{f:url(data:image/png;base64,AA==)} g{h:url(#gradient)}"""
    assert set(paths(found(css, "css"))) == {f"assets/ck1/{name}" for name in ("more.css", "i.png", "f.woff2", "x.svg")}


def test_files_elsewhere_are_named_and_not_followed() -> None:
    """Another host, and a path above the base."""
    assert found("a{b:url(https://fonts.test/f.woff2)}", "css").outside == ("https://fonts.test/f.woff2",)
    above = found("a{b:url(/f.woff2)}", "css", f"{BASE}/sdk/a.css", f"{BASE}/sdk")
    assert (above.inside, above.outside) == ((), (f"{BASE}/f.woff2",))


@pytest.mark.parametrize("name", ["..%2f..%2f..%2fetc%2fpasswd.css", "a%5Cb.css", "%2e%2e/%2e%2e/%2e%2e/%2fx.css"])
def test_a_path_that_leads_out_is_refused(name: str) -> None:
    """Encoded, it survives being resolved; decoded, it is no file below a folder."""
    references = found(f"a{{b:url(./{name})}}", "css")
    assert references.refused
    assert not references.inside


def test_the_loader_names_its_frame() -> None:
    """By file name, beside itself; the first is the one that it opens."""
    loader = 'const F="index-abc123.html"; new URL(F, script.src); "index-def.html"'
    assert frames_in(loader) == ("index-abc123.html", "index-def.html")
    here = f"{BASE}/deployments/chatkit/chatkit.js"
    assert paths(found(loader, "loader", here)) == {
        "deployments/chatkit/index-abc123.html": True,
        "deployments/chatkit/index-def.html": True,
    }
    assert frames_in("<!doctype html>") == ()


def test_a_prefix_is_part_of_the_base() -> None:
    """What bundlers list from the root is below it."""
    references = found('["assets/a.js"]', "js", f"{BASE}/mirror/assets/b.js", f"{BASE}/mirror/")
    assert paths(references) == {"assets/a.js": False}
    assert path_below(f"{BASE}/mirror-2/a.js", f"{BASE}/mirror") is None


def test_other_files_refer_to_nothing() -> None:
    """Their type is known by name; the loader is known by place."""
    assert found('import"./a.js"', "png") == References()
    assert [kind_of(path, loader="l.js") for path in ("l.js", "a.mjs", "a.HTM", "a.css")] == [
        "loader",
        "js",
        "html",
        "css",
    ]
