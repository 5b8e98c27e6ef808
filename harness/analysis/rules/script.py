"""The loader script: referenced, requested, delivered, run, and the element defined by it.

In: facts. Out: findings of this layer. All of them need an element that was never defined.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.exchanges import Exchange, split_url
from harness.analysis.facts import LOADER_URL, Facts, evidence_of, is_loader_candidate, is_official, is_same_target
from harness.analysis.rules.network import (
    CHALLENGE,
    Obstacle,
    is_challenge,
    obstacle_of,
)
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    MDN,
    Confidence,
    Found,
    Layer,
    Rule,
    lines_of,
    on_one_line,
    told,
    with_loaded,
)

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
    """An element stands in a page that never points to the script that defines it."""
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
    failed = [x for x in facts.exchanges if x.request.resource_type == "script" and (x.failure or x.status >= 400)]
    yield Found(
        summary="<openai-chatkit> is in the page, but no script that defines it was ever referenced or requested",
        evidence=with_loaded(facts, *facts.embed.connected[:1]),
        # One of the scripts that did not arrive may be the loader under another name.
        confidence=Confidence.LIKELY if failed or not facts.page.loaded_seq else None,
    )


def page_without_chatkit(facts: Facts) -> Iterator[Found]:
    """There is neither the element nor its loader."""
    is_bare = _is_without_loader(facts) and not facts.embeds and not facts.lookalikes
    if is_bare and not facts.page_errors_about(NO_CURRENT_SCRIPT):
        yield Found(
            summary=f"{facts.page.url} references no ChatKit script and holds no <openai-chatkit> element",
            evidence=with_loaded(facts),
        )


def types_package_imported(facts: Facts) -> Iterator[Found]:
    """The page imports the package of types and expects the widget from it."""
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


def loader_not_executed(facts: Facts) -> Iterator[Found]:
    """A script tag names the loader, and is of a type that browsers do not run."""
    if facts.is_defined or any(x.response for x in facts.loaders):
        return
    inert = [s for s in facts.scripts if s.event.type.lower().split(";")[0].strip() not in SCRIPT_TYPES]
    if inert and len(inert) == len([s for s in facts.scripts if is_loader_candidate(s.event.src)]):
        yield Found(
            summary=f'<script type="{inert[-1].event.type}" src="{inert[-1].event.src}"> is data to a browser: it is not run',
            evidence=lines_of(inert),
        )


def loader_only_preloaded(facts: Facts) -> Iterator[Found]:
    """The loader was fetched, and no script tag runs it."""
    fetched = _fetched_without_tag(facts)
    if fetched is not None and not _is_imported(facts, fetched):
        yield Found(
            summary=f"{fetched.url} was fetched, by a preload or by code, and no <script> tag runs it",
            evidence=with_loaded(facts, *evidence_of(fetched)),
        )


def loader_run_as_module(facts: Facts) -> Iterator[Found]:
    """The loader runs where it cannot know its own address."""
    errors = facts.page_errors_about(NO_CURRENT_SCRIPT)
    modules = [s for s in facts.scripts if s.event.type == "module" and is_loader_candidate(s.event.src)]
    fetched = _fetched_without_tag(facts)
    if errors and not facts.is_defined:
        how = 'as type="module"' if modules else "as a module, by import(), or as inlined text"
        yield Found(
            summary=f"the loader was run {how}, so document.currentScript is null and it gives up",
            evidence=(*lines_of(modules), *lines_of(errors)),
        )
    elif fetched is not None and _is_imported(facts, fetched):
        yield Found(
            summary=f"{fetched.url} was fetched as a script without a <script> tag, as import() does it, and defined nothing",
            evidence=with_loaded(facts, *evidence_of(fetched)),
            confidence=Confidence.LIKELY,
        )


def _fetched_without_tag(facts: Facts) -> Exchange | None:
    """The loader that arrived, and that no script tag names."""
    fetched = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure]
    is_named = any(is_loader_candidate(s.event.src) for s in facts.scripts)
    if not facts.is_settled or facts.is_defined or is_named or not fetched or _is_page(fetched[-1]):
        return None
    return None if facts.page_errors_about(NO_CURRENT_SCRIPT) else fetched[-1]


def _is_imported(facts: Facts, exchange: Exchange) -> bool:
    return any(s.event.url == exchange.url and s.event.initiator == "script" for s in facts.timings)


def loader_challenged(facts: Facts) -> Iterator[Found]:
    """Bot protection answered in place of the loader."""
    loader = facts.failed_loader
    if loader is not None and is_challenge(loader):
        yield Found(
            summary=f"{told(loader)}: a challenge page of the CDN's bot protection",
            evidence=evidence_of(loader),
            confidence=None if CHALLENGE.search(_error(loader)) or _has_challenge_header(loader) else Confidence.LIKELY,
        )


def loader_at_wrong_address(facts: Facts) -> Iterator[Found]:
    """The page asks for a ChatKit script where there is none."""
    loader = facts.failed_loader
    if loader is None or _is_on_cdn(loader.url):
        return
    nothing_there = (Obstacle.UNREACHABLE, Obstacle.HERMETIC, Obstacle.NO_SCRIPT)
    if loader.status in (404, 410) or obstacle_of(facts, loader) in nothing_there:
        yield Found(summary=f"{told(loader)}; the loader's only address is {LOADER_URL}", evidence=evidence_of(loader))


def loader_refused(facts: Facts) -> Iterator[Found]:
    """The loader's own address answers with an error."""
    loader = facts.failed_loader
    if loader is None or loader.status < 400 or is_challenge(loader):
        return
    if loader.status in (404, 410) and not _is_on_cdn(loader.url):
        return
    yield Found(summary=told(loader), evidence=evidence_of(loader))


def loader_unreachable(facts: Facts) -> Iterator[Found]:
    """The network between the browser and the CDN does not let the loader through."""
    loader = facts.failed_loader
    if loader is not None and _is_on_cdn(loader.url) and obstacle_of(facts, loader) is Obstacle.UNREACHABLE:
        yield Found(summary=told(loader), evidence=evidence_of(loader))


def loader_blocked_by_client(facts: Facts) -> Iterator[Found]:
    """Something in the browser keeps the loader out."""
    loader = facts.failed_loader
    if loader is not None and obstacle_of(facts, loader) is Obstacle.CLIENT:
        yield Found(summary=told(loader), evidence=evidence_of(loader))


def loader_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's Content-Security-Policy forbids the loader."""
    if facts.is_defined:
        return
    sources = [
        *[x.url for x in facts.loaders],
        *[s.event.src for s in facts.scripts if is_loader_candidate(s.event.src)],
    ]
    hits = [
        s for s in facts.violations
        if s.event.directive.startswith(("script-src", "default-src"))
        and any(is_same_target(s.event.blocked_url, src) for src in sources)
    ]  # fmt: skip
    loader = facts.failed_loader
    if hits and not any(200 <= x.status < 400 and not x.failure for x in facts.loaders):
        yield Found(
            summary=f"{hits[0].event.directive} of the page's Content-Security-Policy does not allow {hits[0].event.blocked_url}",
            evidence=(*lines_of(hits), *(evidence_of(loader) if loader else ())),
        )
    elif loader is not None and obstacle_of(facts, loader) is Obstacle.CSP:
        yield Found(summary=f"the page's Content-Security-Policy stopped {loader.url}", evidence=evidence_of(loader))


def loader_blocked_by_coep(facts: Facts) -> Iterator[Found]:
    """The page isolates itself, and the loader does not consent to it."""
    loader = facts.failed_loader
    if loader is not None and obstacle_of(facts, loader) is Obstacle.RESPONSE:
        policy = facts.page.header("cross-origin-embedder-policy")
        yield Found(
            summary=f"{told(loader)}" + (f"; the page sends Cross-Origin-Embedder-Policy: {policy}" if policy else ""),
            evidence=(facts.page.seq, *evidence_of(loader)) if policy else evidence_of(loader),
            confidence=None if policy.startswith(("require-corp", "credentialless")) else Confidence.LIKELY,
        )


def loader_over_plain_http(facts: Facts) -> Iterator[Found]:
    """A secure page asks for the loader by http."""
    if facts.is_defined:
        return
    sources = {x.url for x in facts.loaders} | {s.event.src for s in facts.scripts}
    insecure = [url for url in sources if url.startswith("http://") and is_loader_candidate(url)]
    if insecure and facts.page.url.startswith("https://"):
        hits = facts.console_about("Mixed Content", insecure[0])
        failed = [x for x in facts.loaders if x.failure and x.url.startswith("http://")]
        if hits or failed:
            yield Found(
                summary=f"an https page may not run {insecure[0]}",
                evidence=(*lines_of(hits), *(seq for x in failed for seq in evidence_of(x))),
                confidence=None if hits else Confidence.LIKELY,
            )


def loader_integrity_mismatch(facts: Facts) -> Iterator[Found]:
    """The script tag pins a hash that the loader no longer has."""
    hits = facts.console_about("integrity", "digest", pattern=r"chatkit[^/]*\.js")
    if hits and not facts.is_defined:
        yield Found(summary=on_one_line(hits[0].event.text), evidence=lines_of(hits))


def loader_answered_by_page(facts: Facts) -> Iterator[Found]:
    """What arrived under the loader's name is no script."""
    arrived = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure]
    loader = facts.failed_loader
    if facts.is_settled and not facts.is_defined and arrived and _is_page(arrived[-1]):
        yield Found(
            summary=f"{arrived[-1].url} answered {arrived[-1].status} with text/html, a page in place of the script",
            evidence=evidence_of(arrived[-1]),
        )
    elif loader is not None and obstacle_of(facts, loader) is Obstacle.NO_SCRIPT and _is_on_cdn(loader.url):
        yield Found(
            summary=f"{told(loader)}: a page, or another answer that is no script", evidence=evidence_of(loader)
        )


def loader_never_arrives(facts: Facts) -> Iterator[Found]:
    """The loader was asked for, and the answer does not come."""
    is_waiting = facts.outcome is not None and not facts.is_defined
    if is_waiting and facts.loaders and facts.loaders[-1].is_open and facts.loaders[-1].failure == "":
        loader = facts.loaders[-1]
        waited_ms = facts.decided_at_ms - loader.started_at_ms
        yield Found(
            summary=f"{loader.request.method} {loader.url} has not been answered to its end for {waited_ms / 1000:.1f} s",
            evidence=evidence_of(loader),
        )


def loader_defines_nothing(facts: Facts) -> Iterator[Found]:
    """A script of the loader's name ran, and the element is still undefined."""
    arrived = [x for x in facts.loaders if 200 <= x.status < 300 and not x.failure and not x.is_open]
    is_run = any(is_loader_candidate(s.event.src) and s.event.type in SCRIPT_TYPES for s in facts.scripts)
    is_undefined = facts.is_settled and not facts.is_defined
    if not (is_undefined and arrived and is_run) or _is_page(arrived[-1]) or facts.page_errors_about(NO_CURRENT_SCRIPT):
        return
    if facts.console_about("integrity", "digest") or (facts.embed is None and facts.lookalikes):
        return
    elsewhere = not is_official(arrived[-1].url)
    yield Found(
        summary=f"{arrived[-1].url} arrived, but it did not define <openai-chatkit>"
        + (f"; it is not {LOADER_URL}" if elsewhere else ""),
        evidence=with_loaded(facts, *evidence_of(arrived[-1])),
    )


def loader_too_late(facts: Facts) -> Iterator[Found]:
    """The app gave up on the loader before it arrived."""
    gave_up = (*facts.console_about(pattern=GAVE_UP), *facts.notices_about(GAVE_UP))
    if facts.is_defined and gave_up and not facts.is_configured and facts.defined[0].seq > gave_up[0].seq:
        yield Found(
            summary="the app said that ChatKit is unavailable, and the loader came after that",
            evidence=(gave_up[0].seq, facts.defined[0].seq),
        )


def _is_on_cdn(url: str) -> bool:
    """Whether an address is the loader's own."""
    return url.split("?")[0] == LOADER_URL


def _is_without_loader(facts: Facts) -> bool:
    is_named = any(is_loader_candidate(s.event.src) for s in facts.scripts)
    return facts.is_settled and not facts.is_defined and not facts.loaders and not is_named


def _is_types_package(url: str) -> bool:
    path = split_url(url).path.replace("%40", "@").replace("_", "/")
    return "@openai/chatkit" in path and "@openai/chatkit-" not in path


def _is_page(exchange: Exchange) -> bool:
    return exchange.response is not None and exchange.response.media_type == "text/html"


def _error(exchange: Exchange) -> str:
    return exchange.body.error_text if exchange.body else ""


def _has_challenge_header(exchange: Exchange) -> bool:
    return exchange.response is not None and any(
        name.lower() == "cf-mitigated" for name, _ in exchange.response.headers
    )


_LOAD_IT = f'Put <script src="{LOADER_URL}" async></script> into the document\'s head.'

RULES = (
    Rule(
        id="loader-not-referenced",
        layer=Layer.SCRIPT,
        title="No script that defines <openai-chatkit> is referenced",
        cause="The element is in the page, but the runtime that gives it life is not: installing the React wrapper or the types "
        "does not load it. Until then the tag is an unknown element of no size, and nothing reports an error.",
        remedy=_LOAD_IT,
        finds=loader_not_referenced,
        covers=("script-tag-missing", "script-injected-by-generator-wrong"),
        doc=CHATKIT_JS,
    ),
    Rule(
        id="page-without-chatkit",
        layer=Layer.SCRIPT,
        title="There is no ChatKit on this page",
        cause="Neither the loader nor the element appeared. Either this is another page than the one with the chat, or what "
        "opens the chat has not been clicked, or the app adds both only under a condition that was not met.",
        remedy="Check the address and what has to be clicked first; then whether the app's own condition for the chat holds.",
        finds=page_without_chatkit,
        confidence=Confidence.LIKELY,
        symptom_of=(Layer.PAGE, Layer.SESSION, Layer.UPSTREAM, "types-package-imported"),
        covers=("script-tag-missing", "app-widget-returns-null"),
    ),
    Rule(
        id="types-package-imported",
        layer=Layer.SCRIPT,
        title="The types-only package is imported in place of the loader",
        cause="@openai/chatkit on npm contains TypeScript declarations and no code; the runtime exists only on the CDN.",
        remedy=f"{_LOAD_IT} Keep the package as a development dependency.",
        finds=types_package_imported,
        covers=("app-types-only-package",),
        doc=CHATKIT_JS,
    ),
    Rule(
        id="loader-not-executed",
        layer=Layer.SCRIPT,
        title="The loader's script tag is never run",
        cause="A consent manager, an optimiser or a generator gave the tag a type that browsers take for data.",
        remedy='Exempt the tag from it, or give it back type="text/javascript" (or none).',
        finds=loader_not_executed,
        covers=("script-injected-by-generator-wrong",),
    ),
    Rule(
        id="loader-only-preloaded",
        layer=Layer.SCRIPT,
        title="The loader is fetched but not run",
        cause="A preload, or a fetch by the app, brings the file into the cache; only a <script src> runs it as it has to be run.",
        remedy=_LOAD_IT,
        finds=loader_only_preloaded,
        confidence=Confidence.LIKELY,
    ),
    Rule(
        id="loader-run-as-module",
        layer=Layer.SCRIPT,
        title="The loader is run as a module",
        cause="The loader finds its frame beside document.currentScript.src, which modules, import() and inlined code do not have.",
        remedy='Load it as a classic external script: no type="module", no import(), no bundling.',
        finds=loader_run_as_module,
        covers=("script-no-current-script",),
        doc=f"{MDN}API/Document/currentScript",
    ),
    Rule(
        id="loader-challenged",
        layer=Layer.SCRIPT,
        title="The CDN challenges this browser instead of delivering the loader",
        cause="Bot protection in front of the CDN distrusts the browser or its address: headless browsers, data centres and VPNs "
        "see it most. It is the environment's fault, not the app's.",
        remedy="Use another network or a full browser; report it to OpenAI with the ray id of the answer.",
        finds=loader_challenged,
        covers=("script-cloudflare-challenge-403",),
    ),
    Rule(
        id="loader-at-wrong-address",
        layer=Layer.SCRIPT,
        title="The page asks for ChatKit at an address where it is not",
        cause="The address was invented, copied from old material, or points to a copy that is not served.",
        remedy=_LOAD_IT,
        finds=loader_at_wrong_address,
        covers=("script-wrong-url",),
        doc=CHATKIT_JS,
    ),
    Rule(
        id="loader-refused",
        layer=Layer.SCRIPT,
        title="The request for the loader is answered with an error",
        cause="The server that was asked for the loader said no. For the CDN's own address that is an outage or something on the path.",
        remedy="Open the address in a browser on the same network; try another network; check OpenAI's status page.",
        finds=loader_refused,
    ),
    Rule(
        id="loader-unreachable",
        layer=Layer.SCRIPT,
        title="The loader does not come through from the CDN",
        cause="DNS, a firewall, a proxy or a connection that breaks between this browser and the CDN.",
        remedy="Allow cdn.platform.openai.com, *.api.openai.com and sentinel.openai.com on this network.",
        finds=loader_unreachable,
        covers=("script-network-blocked",),
    ),
    Rule(
        id="loader-blocked-by-client",
        layer=Layer.SCRIPT,
        title="The browser blocks the loader",
        cause="net::ERR_BLOCKED_BY_CLIENT is what an extension, an ad blocker or a rule inside the browser leaves behind; the "
        "server was never asked.",
        remedy="Exempt cdn.platform.openai.com from the blocker on this site.",
        finds=loader_blocked_by_client,
        covers=("policy-adblock",),
    ),
    Rule(
        id="loader-blocked-by-csp",
        layer=Layer.SCRIPT,
        title="The page's Content-Security-Policy blocks the loader",
        cause="script-src (or default-src in its place) does not name the CDN, so the browser refuses the page's own request.",
        remedy="Add https://cdn.platform.openai.com to script-src; frame-src needs it too.",
        finds=loader_blocked_by_csp,
        covers=("policy-csp-script-src",),
        doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/script-src",
    ),
    Rule(
        id="loader-blocked-by-coep",
        layer=Layer.SCRIPT,
        title="The page's isolation headers block the loader",
        cause="With Cross-Origin-Embedder-Policy every foreign resource must consent by CORS or a Cross-Origin-Resource-Policy header.",
        remedy="Drop the header on this page, or try credentialless.",
        finds=loader_blocked_by_coep,
        covers=("policy-coep-host",),
        doc=f"{MDN}HTTP/Reference/Headers/Cross-Origin-Embedder-Policy",
    ),
    Rule(
        id="loader-over-plain-http",
        layer=Layer.SCRIPT,
        title="A secure page asks for the loader over plain http",
        cause="Browsers do not run http scripts on https pages.",
        remedy=_LOAD_IT,
        finds=loader_over_plain_http,
        doc=f"{MDN}Security/Mixed_content",
    ),
    Rule(
        id="loader-integrity-mismatch",
        layer=Layer.SCRIPT,
        title="The loader does not match the hash on its script tag",
        cause="The loader's address is unversioned and its content changes without notice, so a pinned integrity hash breaks one day.",
        remedy="Remove the integrity attribute from the tag.",
        finds=loader_integrity_mismatch,
        doc=f"{MDN}Security/Subresource_Integrity",
    ),
    Rule(
        id="loader-answered-by-page",
        layer=Layer.SCRIPT,
        title="The loader's address answers with something that is no script",
        cause="A web page came in place of the file: a challenge of bot protection (headless browsers, data centres and VPNs see it "
        "most), an error page, a sign-in page of the network, a single-page fallback. Browsers keep such an answer from the page, "
        "its status included.",
        remedy="Open the address in a browser on the same network and look; try another network, or a full browser.",
        finds=loader_answered_by_page,
        covers=("script-wrong-url", "script-cloudflare-challenge-403", "script-network-blocked"),
    ),
    Rule(
        id="loader-never-arrives",
        layer=Layer.SCRIPT,
        title="The loader's answer does not come",
        cause="The connection is held open without an answer: a proxy, a firewall that drops packets, or a very slow network.",
        remedy="Try another network; allow cdn.platform.openai.com in the firewall.",
        finds=loader_never_arrives,
        covers=("script-network-blocked",),
    ),
    Rule(
        id="loader-defines-nothing",
        layer=Layer.SCRIPT,
        title="The script arrived and defined nothing",
        cause="What was served under this name is another script, an old or damaged copy, or it failed while it ran.",
        remedy=f"Compare it with {LOADER_URL}, and look at the errors on the console.",
        finds=loader_defines_nothing,
        confidence=Confidence.LIKELY,
        covers=("script-wrong-url",),
    ),
    Rule(
        id="loader-too-late",
        layer=Layer.SCRIPT,
        title="The app gave up before the loader arrived",
        cause="A lazy loading strategy, or a short time limit of the app's own; the second visit works because the file is cached.",
        remedy="Load the script in the document's head, and wait for customElements.whenDefined('openai-chatkit') without a time limit.",
        finds=loader_too_late,
        confidence=Confidence.LIKELY,
        covers=("script-late-strategy",),
    ),
)
