"""The loader script: whether it is referenced, requested, delivered and run, and whether it defines the element.

In: facts. Out: findings of this layer. They apply only when the element was never defined.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.analysis.facts.facts import Facts, evidence_of, is_loader_candidate, is_official, is_same_target
from harness.analysis.rules.app import other_failures
from harness.analysis.rules.network import INTEGRITY, is_page
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    LOAD_IT,
    MDN,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    with_loaded,
)
from harness.model.chatkit import LOADER_URL

SCRIPT_TYPES = (
    "",
    "text/javascript",
    "application/javascript",
    "module",
    "text/ecmascript",
    "application/x-javascript",
)
NO_CURRENT_SCRIPT = r"Unable to determine the ChatKit frame URL"
GAVE_UP = r"web component is unavailable|chatkit (script|sdk)[^.]{0,30}(timed? ?out|failed to load|could not be loaded)"
PACKAGE = r"(Failed to resolve (module specifier|import|entry for package)|Cannot find module|Can't resolve)[^\n]{0,20}@openai/chatkit(?!-)"


def loader_not_referenced(facts: Facts) -> Iterator[Found]:
    """The element is in a page that never refers to the script that defines it."""
    if not _is_without_loader(facts) or facts.page_errors_about(NO_CURRENT_SCRIPT):
        return
    if facts.embed is None:
        for other in facts.lookalikes[:1]:
            yield Found(
                summary=f"<{other.event.tag}> is in the page, and no script that defines ChatKit's element was ever referenced",
                evidence=with_loaded(facts, other.seq),
                confidence=Confidence.LIKELY,  # it may be another library's
            )
        return
    yield Found(
        summary="<openai-chatkit> is in the page, but no script that defines it was ever referenced or requested",
        evidence=with_loaded(facts, *facts.embed.connected[:1]),
        confidence=Confidence.LIKELY if _may_be_on_its_way(facts) else None,
    )


LOADER_NOT_REFERENCED = Rule(
    id="loader-not-referenced",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="No script that defines <openai-chatkit> is referenced",
    cause="The element is in the page, but no script defines it: installing the React wrapper or the types does "
    "not load the runtime. Without it the browser treats the tag as an unknown element without a size, and "
    "reports no error.",
    remedy=LOAD_IT,
    finds=loader_not_referenced,
    symptom_of=("page-script-blocked-by-csp",),
    covers=("script-tag-missing", "script-injected-by-generator-wrong"),
    doc=CHATKIT_JS,
)


def _may_be_on_its_way(facts: Facts) -> bool:
    """Whether a script that was not delivered, was blocked or threw may be the loader, or would have loaded it."""
    failed = [x for x in facts.exchanges if x.request.resource_type == "script" and (x.failure or x.status >= 400)]
    stopped = [s for s in facts.violations if s.event.directive.startswith("script-src")]
    return bool(failed or stopped or facts.page_errors or not facts.page.loaded_seq)


def page_without_chatkit(facts: Facts) -> Iterator[Found]:
    """The page has neither the element nor its loader."""
    is_bare = _is_without_loader(facts) and not facts.embeds and not facts.lookalikes
    if is_bare and not facts.page_errors_about(NO_CURRENT_SCRIPT):
        said, lines = other_failures(facts)
        yield Found(
            summary=f"{facts.page.url} references no ChatKit script and holds no <openai-chatkit> element{said}",
            evidence=with_loaded(facts, *lines),
        )


PAGE_WITHOUT_CHATKIT = Rule(
    id="page-without-chatkit",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="There is no ChatKit on this page",
    cause="Neither the loader nor the element appeared. This is not the page with the chat, or the button that "
    "opens the chat was not clicked, or the app adds both only under a condition that was not met.",
    remedy="Check the address, check whether a button must be clicked first, and check the app's own condition "
    "for showing the chat.",
    finds=page_without_chatkit,
    confidence=Confidence.LIKELY,
    symptom_of=(Layer.PAGE, Layer.SESSION, Layer.UPSTREAM, "types-package-imported"),
    covers=("script-tag-missing", "app-widget-returns-null"),
)


def types_package_imported(facts: Facts) -> Iterator[Found]:
    """The page imports the types-only package instead of loading the script."""
    if facts.is_defined:
        return
    errors = (*facts.page_errors_about(PACKAGE), *facts.console_about(pattern=PACKAGE))
    fetched = [x.seq for x in facts.exchanges if x.request.resource_type == "script" and _is_types_package(x.url)]
    if errors or (fetched and _is_without_loader(facts)):
        yield Found(
            summary="the page imports @openai/chatkit, and that package holds type declarations only",
            evidence=(*lines_of(errors), *fetched),
            confidence=Confidence.LIKELY if not errors or facts.loaders else None,
        )


TYPES_PACKAGE_IMPORTED = Rule(
    id="types-package-imported",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The page imports the types-only package instead of the loader",
    cause="@openai/chatkit on npm contains TypeScript declarations and no code; the runtime exists only on the CDN.",
    remedy=f"{LOAD_IT} The package is useful as a development dependency.",
    finds=types_package_imported,
    covers=("app-types-only-package",),
    doc=CHATKIT_JS,
)


def loader_not_executed(facts: Facts) -> Iterator[Found]:
    """The loader's script tag has a type that browsers do not run."""
    if facts.is_defined or any(x.response for x in facts.loaders):
        return
    inert = [s for s in facts.scripts if s.event.type.lower().split(";")[0].strip() not in SCRIPT_TYPES]
    if inert and len(inert) == len([s for s in facts.scripts if is_loader_candidate(s.event.src)]):
        yield Found(
            summary=f'<script type="{inert[-1].event.type}" src="{inert[-1].event.src}"> is treated as data: '
            "browsers do not run it",
            evidence=lines_of(inert),
        )


LOADER_NOT_EXECUTED = Rule(
    id="loader-not-executed",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The browser does not run the loader's script tag",
    cause="A consent manager, an optimiser or a generator gave the tag a type that browsers treat as data.",
    remedy='Exempt the tag from that tool, or set type="text/javascript" (or no type).',
    finds=loader_not_executed,
    covers=("script-injected-by-generator-wrong",),
)


def loader_tag_inert(facts: Facts) -> Iterator[Found]:
    """The loader's script tag is in the document, and the browser never requests the script."""
    tags = [s for s in facts.scripts if is_loader_candidate(s.event.src) and s.event.type in SCRIPT_TYPES]
    is_stopped = any(is_same_target(s.event.blocked_url, tag.event.src) for s in facts.violations for tag in tags)
    if facts.is_settled and tags and not facts.is_defined and not facts.loaders and not is_stopped:
        yield Found(
            summary=f'<script src="{tags[-1].event.src}"> is in the document, and the browser never requested it',
            evidence=with_loaded(facts, *lines_of(tags)),
        )


LOADER_TAG_INERT = Rule(
    id="loader-tag-inert",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The loader's script tag is in the document and does nothing",
    cause="Browsers do not run scripts that are inserted with innerHTML or in a fragment of a framework, and they "
    "do not run scripts with nomodule.",
    remedy=f"{LOAD_IT} Or create the tag with document.createElement('script').",
    finds=loader_tag_inert,
    confidence=Confidence.LIKELY,
    covers=("script-injected-by-generator-wrong",),
)


def loader_only_preloaded(facts: Facts) -> Iterator[Found]:
    """The page fetched the loader, and no script tag runs it."""
    fetched = _fetched_without_tag(facts)
    if fetched is not None and not _is_imported(facts, fetched):
        yield Found(
            summary=f"{fetched.url} was fetched by a preload or by code, but no <script> tag runs it",
            evidence=with_loaded(facts, *evidence_of(fetched)),
        )


LOADER_ONLY_PRELOADED = Rule(
    id="loader-only-preloaded",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The loader is fetched but not run",
    cause="A preload, or a fetch by the app, puts the file into the cache. Only a <script src> tag runs it.",
    remedy=LOAD_IT,
    finds=loader_only_preloaded,
    symptom_of=("page-scripts-disabled",),
    confidence=Confidence.LIKELY,
)


def loader_run_as_module(facts: Facts) -> Iterator[Found]:
    """The loader runs in a way in which it cannot determine its own address."""
    errors = facts.page_errors_about(NO_CURRENT_SCRIPT)
    fetched = _fetched_without_tag(facts)
    if errors and not facts.is_defined:
        modules = _module_tags(facts)
        how = 'as type="module"' if modules else "as a module, by import(), or as inlined text"
        yield Found(
            summary=f"the loader ran {how}, so document.currentScript is null and the loader stops",
            evidence=(*modules, *lines_of(errors)),
        )
    elif fetched is not None and _is_imported(facts, fetched):
        yield Found(
            summary=f"{fetched.url} was fetched as a script without a <script> tag, as import() does, and did not "
            "define the element",
            evidence=with_loaded(facts, *evidence_of(fetched)),
            confidence=Confidence.LIKELY,
        )


LOADER_RUN_AS_MODULE = Rule(
    id="loader-run-as-module",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The loader is run as a module",
    cause="The loader derives the frame's address from document.currentScript.src, which is null in modules, in "
    "import() and in inlined code.",
    remedy='Load it as a classic external script: no type="module", no import(), no bundling.',
    finds=loader_run_as_module,
    covers=("script-no-current-script",),
    doc=f"{MDN}API/Document/currentScript",
)


def _module_tags(facts: Facts) -> tuple[int, ...]:
    """The lines of the script tags that load the loader as a module."""
    tags = [s for s in facts.scripts if s.event.type == "module" and is_loader_candidate(s.event.src)]
    return lines_of(tags)


def _fetched_without_tag(facts: Facts) -> Exchange | None:
    """The loader that was delivered although no script tag refers to it."""
    fetched = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure]
    is_named = any(is_loader_candidate(s.event.src) for s in facts.scripts)
    if not facts.is_settled or facts.is_defined or is_named or not fetched or is_page(fetched[-1]):
        return None
    return None if facts.page_errors_about(NO_CURRENT_SCRIPT) else fetched[-1]


def _is_imported(facts: Facts, exchange: Exchange) -> bool:
    return any(s.event.url == exchange.url and s.event.initiator == "script" for s in facts.timings)


def loader_defines_nothing(facts: Facts) -> Iterator[Found]:
    """A script with the loader's name ran, and the element is still undefined."""
    arrived = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure and not x.is_open]
    is_run = any(is_loader_candidate(s.event.src) and s.event.type in SCRIPT_TYPES for s in facts.scripts)
    is_undefined = facts.is_settled and not facts.is_defined
    if not (is_undefined and arrived and is_run) or is_page(arrived[-1]) or facts.page_errors_about(NO_CURRENT_SCRIPT):
        return
    if facts.console_about("integrity", pattern=INTEGRITY) or (facts.embed is None and facts.lookalikes):
        return
    yield Found(
        summary=f"{arrived[-1].url} was delivered, but it did not define <openai-chatkit>"
        + ("" if is_official(arrived[-1].url) else f"; it is not {LOADER_URL}"),
        evidence=with_loaded(facts, *evidence_of(arrived[-1])),
    )


LOADER_DEFINES_NOTHING = Rule(
    id="loader-defines-nothing",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The script ran and did not define the element",
    cause="The file that was served under this name is another script, or an old or damaged copy, or it threw an "
    "error.",
    remedy=f"Compare it with {LOADER_URL}, and read the errors on the console.",
    finds=loader_defines_nothing,
    confidence=Confidence.LIKELY,
    covers=("script-wrong-url",),
)


def loader_too_late(facts: Facts) -> Iterator[Found]:
    """The app stopped waiting for the loader before it arrived."""
    gave_up = (*facts.console_about(pattern=GAVE_UP), *facts.notices_about(GAVE_UP))
    if facts.is_defined and gave_up and not facts.is_configured and facts.defined[0].seq > gave_up[0].seq:
        yield Found(
            summary="the app reported that ChatKit is unavailable, and the loader arrived after that",
            evidence=(gave_up[0].seq, facts.defined[0].seq),
        )


LOADER_TOO_LATE = Rule(
    id="loader-too-late",
    layer=Layer.SCRIPT,
    owner=Party.APP,
    title="The app stopped waiting before the loader arrived",
    cause="The script is loaded lazily, or the app has a short timeout of its own. The second visit works because "
    "the file is cached.",
    remedy="Load the script in the document's head, and wait for customElements.whenDefined('openai-chatkit') "
    "without a timeout.",
    finds=loader_too_late,
    confidence=Confidence.LIKELY,
    covers=("script-late-strategy",),
)


def _is_without_loader(facts: Facts) -> bool:
    is_named = any(is_loader_candidate(s.event.src) for s in facts.scripts)
    return facts.is_settled and not facts.is_defined and not facts.loaders and not is_named


def _is_types_package(url: str) -> bool:
    path = split_url(url).path.replace("%40", "@").replace("_", "/")
    return "@openai/chatkit" in path and "@openai/chatkit-" not in path


RULES = (
    LOADER_NOT_REFERENCED,
    PAGE_WITHOUT_CHATKIT,
    TYPES_PACKAGE_IMPORTED,
    LOADER_NOT_EXECUTED,
    LOADER_TAG_INERT,
    LOADER_ONLY_PRELOADED,
    LOADER_RUN_AS_MODULE,
    LOADER_DEFINES_NOTHING,
    LOADER_TOO_LATE,
)
