"""Which files the SDK's files refer to, in the forms that bundlers write."""

from __future__ import annotations

import pytest

from harness.analysis.sdk_references import Need, References, frames_in, kind_of, path_below, references_of

BASE = "https://cdn.test"
ENTRY = f"{BASE}/assets/ck1/index-1.js"


def found(text: str, kind: str, url: str = ENTRY, base: str = BASE) -> References:
    """Return what a text refers to."""
    return references_of(text, url=url, base_url=base, kind=kind)


def paths(references: References) -> dict[str, Need]:
    """Return the paths below the base, and how much each is needed."""
    return {reference.path: reference.need for reference in references.inside}


@pytest.mark.parametrize(
    ("text", "path", "need"),
    [
        ('import{a as b}from"./chunk-2.js";', "assets/ck1/chunk-2.js", Need.AT_ONCE),
        ("import './side.js'", "assets/ck1/side.js", Need.AT_ONCE),
        ("export * from '../shared/x.mjs'", "assets/shared/x.mjs", Need.AT_ONCE),
        ("const m = () => import(`./lazy-3.js`)", "assets/ck1/lazy-3.js", Need.LATER),
        ("import(/* webpackChunkName: 'a' */ './lazy.js')", "assets/ck1/lazy.js", Need.LATER),
        ('new URL("worker-1.js", import.meta.url)', "assets/ck1/worker-1.js", Need.LATER),
        ('d=["assets/ck1/a-1.js","assets/ck1/a-1.css"]', "assets/ck1/a-1.css", Need.NAMED),
        ('x="/assets/ck1/logo.svg?v=1"', "assets/ck1/logo.svg", Need.NAMED),
        ('export{a}from"./both.js";const l=()=>import("./both.js")', "assets/ck1/both.js", Need.AT_ONCE),
        ('x="./locale/de.json"', "assets/ck1/locale/de.json", Need.NAMED),
    ],
)
def test_scripts_import_and_name_files(text: str, path: str, need: Need) -> None:
    """A static import is needed at once, a target of `import()` and a worker later; a text that looks like a path is only named."""
    assert paths(found(text, "js"))[path] is need


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
      <script>import "/assets/ck1/needed.js"; import("/assets/ck1/inline.js")</script><style>@font-face{src:url(/f.woff2)}</style>"""
    found_here = paths(found(html, "html", f"{BASE}/deployments/chatkit/index-1.html"))
    at_once = ["assets/ck1/index-1.js", "assets/ck1/index-1.css", "assets/ck1/needed.js"]
    later = ["assets/ck1/a.js", "deployments/chatkit/pic.png", "assets/ck1/inline.js", "f.woff2"]
    assert found_here == dict.fromkeys(at_once, Need.AT_ONCE) | dict.fromkeys(later, Need.LATER)


def test_styles_refer_by_url_and_import() -> None:
    """With and without quotes; comments, data and fragments are nothing."""
    css = """@import "more.css"; @import url(blue.css); a{background:url('i.png')} b{src:url( f.woff2 )} c{d:url("x.svg#y")}
      /* url(old.png) */ e{f:url(data:image/png;base64,AA==)} g{h:url(#gradient)}"""
    assert paths(found(css, "css")) == {
        "assets/ck1/more.css": Need.AT_ONCE,
        "assets/ck1/blue.css": Need.AT_ONCE,
        "assets/ck1/i.png": Need.LATER,
        "assets/ck1/f.woff2": Need.LATER,
        "assets/ck1/x.svg": Need.LATER,
    }


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
        "deployments/chatkit/index-abc123.html": Need.AT_ONCE,
        "deployments/chatkit/index-def.html": Need.AT_ONCE,
    }
    assert frames_in("<!doctype html>") == ()


def test_a_prefix_is_part_of_the_base() -> None:
    """What bundlers list from the root is below it."""
    references = found('["assets/a.js"]', "js", f"{BASE}/mirror/assets/b.js", f"{BASE}/mirror/")
    assert paths(references) == {"assets/a.js": Need.NAMED}
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
