"""The custom element: whether it has the right tag, is upgraded, receives its options, and stays where it is.

In: facts. Out: findings of this layer.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts, evidence_of, is_loader_candidate
from harness.analysis.mount.tracks import Element, Signal
from harness.analysis.mount.verdict import Reason
from harness.analysis.rules.rule import (
    CHATKIT_JS,
    MDN,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    lines_of,
    on_one_line,
    with_loaded,
)

FAILED = ("failed", "timeout")
# Names seen in pages that intended to use ChatKit.
INVENTED = ("chatkit-widget", "chatkit-chat", "chatkit-element", "chat-kit")
NOT_UPGRADED = r"setOptions is not a function"
NO_SET_OPTIONS = r"setOptions is not a function|(undefined|null)[^\n]{0,40}setOptions"
UNDEFINED_OPTIONS = r"threadItemActions"
NOT_SERIALISABLE = r"circular structure|cyclic object value|cyclic structures|Do not know how to serialize a BigInt"
NOT_IN_PROFILE = r"ChatKit command \"?\w+\"? is not available"


def wrong_tag(facts: Facts) -> Iterator[Found]:
    """The document contains an element with another name."""
    if facts.lookalikes and not facts.embeds:
        tag = facts.lookalikes[0].event.tag
        is_named = tag in INVENTED or "openai" in tag or "open-ai" in tag
        is_meant = (is_named and facts.is_defined) or facts.page_errors_about(NO_SET_OPTIONS)
        yield Found(
            summary=f"the document contains <{tag}>, which no script defines; the element's name is openai-chatkit",
            evidence=(facts.lookalikes[0].seq, *lines_of(facts.defined[:1])),
            confidence=None if is_meant else Confidence.LIKELY,  # it may be another library's
        )


WRONG_TAG = Rule(
    id="wrong-tag",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The element has another name",
    cause="The loader defines openai-chatkit and nothing else; an element with another name is never upgraded.",
    remedy="Write <openai-chatkit>, in the document and in customElements.get and whenDefined.",
    finds=wrong_tag,
    covers=("element-wrong-tag-name",),
    doc=CHATKIT_JS,
)


def options_before_upgrade(facts: Facts) -> Iterator[Found]:
    """setOptions was called before the element was defined."""
    if facts.is_configured:
        return
    told = (*facts.page_errors_about(NO_SET_OPTIONS), *facts.console_about(pattern=NO_SET_OPTIONS))
    if told:
        # A message about null or undefined means that the element itself was not found.
        is_there = facts.page_errors_about(NOT_UPGRADED) or facts.console_about(pattern=NOT_UPGRADED)
        later = facts.defined[:1] if facts.defined and facts.defined[0].seq > told[0].seq else ()
        yield Found(
            summary="setOptions was called on an element that did not have it yet"
            + ("; the loader arrived after that, and the page did not call setOptions again" if later else ""),
            evidence=(*lines_of(told[:4]), *lines_of(later)),
            confidence=None if later and facts.embed is not None and is_there else Confidence.LIKELY,
        )


OPTIONS_BEFORE_UPGRADE = Rule(
    id="options-before-upgrade",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="setOptions is called before the loader has defined the element",
    cause="The loader is async, the page's own code ran first, and the page does not repeat a call that failed.",
    remedy="Wait for customElements.whenDefined('openai-chatkit') before setOptions.",
    finds=options_before_upgrade,
    symptom_of=(Layer.SCRIPT, "wrong-tag", "element-defined-by-another"),
    covers=("element-setoptions-before-upgrade",),
    doc=f"{MDN}API/CustomElementRegistry/whenDefined",
)


def options_undefined(facts: Facts) -> Iterator[Found]:
    """setOptions was called without options."""
    if facts.is_configured:
        return
    errors = facts.errors_about(UNDEFINED_OPTIONS)
    uncaught = facts.page_errors_about(UNDEFINED_OPTIONS)
    if errors or uncaught:
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(
            summary=f"setOptions(undefined) or setOptions(null): {on_one_line(said, 160)}",
            evidence=(*(e.seq for e in errors), *lines_of(uncaught)),
        )


OPTIONS_UNDEFINED = Rule(
    id="options-undefined",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="setOptions is called without options",
    cause="The variable that should hold the options was undefined or null at that moment.",
    remedy="Pass an object with at least `api`.",
    finds=options_undefined,
    covers=("element-options-undefined",),
    doc=CHATKIT_JS,
)


def options_not_serialisable(facts: Facts) -> Iterator[Found]:
    """The options contain a value that cannot be sent to the frame."""
    if facts.is_configured:
        return
    errors = [e for e in facts.errors_about(NOT_SERIALISABLE) if not e.is_from_frame]
    uncaught = facts.page_errors_about(NOT_SERIALISABLE)
    if errors or (uncaught and facts.embed is not None):
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(
            summary=f"the options cannot be serialised as JSON: {on_one_line(said, 160)}",
            evidence=(*(e.seq for e in errors), *lines_of(uncaught)),
            confidence=None if errors else Confidence.LIKELY,
        )


OPTIONS_NOT_SERIALISABLE = Rule(
    id="options-not-serialisable",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The options cannot be serialised as JSON",
    cause="The loader writes the options as JSON into the frame's address. A cycle, a DOM node or a framework's "
    "proxy cannot be serialised.",
    remedy="Pass plain data and functions only.",
    finds=options_not_serialisable,
    covers=("element-options-not-serialisable",),
)


def set_options_threw(facts: Facts) -> Iterator[Found]:
    """The loader rejected the options with an error."""
    if facts.is_configured or facts.has_frame_spoken:
        return
    known = (*facts.errors_about(UNDEFINED_OPTIONS), *facts.errors_about(NOT_SERIALISABLE))
    errors = [e for e in facts.errors if not e.is_from_frame and e not in known]
    if errors:
        yield Found(
            summary=f"setOptions threw {errors[0].name or 'Error'}: {on_one_line(errors[0].message)}",
            evidence=tuple(e.seq for e in errors[:4]),
        )


SET_OPTIONS_THREW = Rule(
    id="set-options-threw",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="setOptions threw",
    cause="The loader rejected the options before it created a frame.",
    remedy="Read the message, and compare the options with the documentation.",
    finds=set_options_threw,
    doc=CHATKIT_JS,
)


def element_defined_by_another(facts: Facts) -> Iterator[Found]:
    """A script other than ChatKit's loader defined the element's name."""
    if not facts.is_defined or any(s.event.children for s in facts.shadows):
        return  # ChatKit's element has a style sheet in its shadow root as soon as it is connected
    is_there = facts.embed is not None and facts.embed.is_there
    defined = facts.defined[0]
    came_ms = [s.event.response_ended_page_ms for s in facts.timings if is_loader_candidate(s.event.url)]
    is_before = bool(came_ms) and defined.event.page_ms < min(came_ms)
    if is_before or (is_there and facts.is_settled):
        when = (
            ", before the loader had arrived" if is_before else ", and that definition renders nothing in the element"
        )
        yield Found(
            summary=f"<openai-chatkit> was defined by another script{when}",
            evidence=(
                defined.seq,
                *(evidence_of(facts.loaders[0]) if is_before and facts.loaders else ()),
                *(facts.embed.connected[:1] if facts.embed else ()),
            ),
            confidence=None
            if is_before and is_there
            else Confidence.LIKELY,  # a copy of the loader may have been first
        )


ELEMENT_DEFINED_BY_ANOTHER = Rule(
    id="element-defined-by-another",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="Another script has defined <openai-chatkit>",
    cause="An element name can be defined only once. A test stub, a polyfill or the app's own wrapper has defined "
    "it, and ChatKit's loader does not replace an existing definition.",
    remedy="Give your own component another name, and exclude test stubs from this build.",
    finds=element_defined_by_another,
    doc=f"{MDN}API/CustomElementRegistry/define",
)


def options_never_set(facts: Facts) -> Iterator[Found]:
    """The upgraded element waits for options that never arrive."""
    is_idle = facts.mount.element is Element.UPGRADED and not facts.errors
    if facts.is_settled and is_idle and facts.is_defined:
        yield Found(
            summary="<openai-chatkit> is defined and in the document, its shadow root contains only a style "
            "sheet: it received no options",
            evidence=with_loaded(facts, *lines_of(facts.shadows[-1:])),
        )


OPTIONS_NEVER_SET = Rule(
    id="options-never-set",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The element never receives options",
    cause="setOptions is not called: an effect does not run, a reference is wrong, or a condition prevents it. Or "
    "setOptions comes after an awaited method such as setThreadId, which waits for the frame, and the frame "
    "waits for the options.",
    remedy="Call setOptions first, with at least `api`; call methods after chatkit.ready.",
    finds=options_never_set,
    confidence=Confidence.LIKELY,
    symptom_of=(
        Layer.SESSION,
        Layer.UPSTREAM,
        "options-before-upgrade",
        "sdk-global-awaited",
        "workflow-id-missing",
        "page-script-blocked-by-csp",
        "uncaught-error",
    ),
    covers=("element-never-configured", "element-method-awaited-before-options"),
    doc=CHATKIT_JS,
)


def element_moved(facts: Facts) -> Iterator[Found]:
    """The element was removed and inserted again, so its frame is no longer connected."""
    if facts.mount.element is Element.MOVED:
        yield Found(
            summary="the same element was detached and attached again; its frame was loaded again, and none of "
            "its messages is answered",
            evidence=(facts.mount.last_signal.get(Signal.MOVED, 0), *_second_styles(facts)),
        )


ELEMENT_MOVED = Rule(
    id="element-moved",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The element was moved within the document",
    cause="A portal, a modal or a drag moved the node. The loader connects its frame only once. After the move "
    "the widget still looks normal, but none of the frame's messages is answered.",
    remedy="Leave the element in its place and position it with CSS, or create a new element.",
    finds=element_moved,
    covers=("element-moved-in-dom",),
)


def _second_styles(facts: Facts) -> tuple[int, ...]:
    """The lines on which the shadow root has more than one style sheet."""
    return tuple(s.seq for s in facts.shadows if s.event.children.count("style") > 1)[:2]


def element_taken_out(facts: Facts) -> Iterator[Found]:
    """The page removed the element."""
    if facts.is_settled and facts.mount.element is Element.DISCONNECTED and facts.embed is not None:
        yield Found(
            summary="<openai-chatkit> was in the document, and the page removed it",
            evidence=(facts.embed.connected[0], *facts.embed.disconnected[-1:]),
        )


ELEMENT_TAKEN_OUT = Rule(
    id="element-taken-out",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The page removes the element",
    cause="The app unmounted the component: an error boundary, a route change, or a changed state.",
    remedy="Find the code that unmounts it. Check first for an error on the console just before.",
    finds=element_taken_out,
    confidence=Confidence.LIKELY,
    symptom_of=(
        Layer.SESSION,
        Layer.UPSTREAM,
        Layer.OPTIONS,
        Layer.FRAME,
        Layer.DOMAIN,
        Layer.SCRIPT,
        "widget-remounted",
    ),
)


def command_not_available(facts: Facts) -> Iterator[Found]:
    """The page calls a method that is not part of the public interface."""
    told = (*facts.page_errors_about(NOT_IN_PROFILE), *facts.console_about(pattern=NOT_IN_PROFILE))
    errors = facts.errors_about(NOT_IN_PROFILE)
    if told or errors:
        yield Found(
            summary="the page calls a method that ChatKit does not offer to websites",
            evidence=(*lines_of(told), *(e.seq for e in errors)),
        )


COMMAND_NOT_AVAILABLE = Rule(
    id="command-not-available",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="The page calls a method that websites may not use",
    cause="The method exists only for OpenAI's own pages; it throws on all others.",
    remedy="Remove the call.",
    finds=command_not_available,
    stops_mount=False,
    covers=("element-command-not-in-profile",),
)


def another_embed_failed(facts: Facts) -> Iterator[Found]:
    """Another element of the page received its options and did not mount; elements that are only hidden are not reported."""
    failed = [other for other in facts.others if other.outcome in FAILED and other.reason != Reason.NOT_VISIBLE]
    if failed:
        first = failed[0]
        why = f"{first.cause.title} ({first.cause.rule})" if first.cause else first.explanation
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        yield Found(
            summary=f"another <openai-chatkit> of the page did not mount: {on_one_line(why)}{more}",
            evidence=tuple(seq for one in failed for seq in (one.seq, *(one.cause.evidence[:2] if one.cause else ()))),
        )


ANOTHER_EMBED_FAILED = Rule(
    id="another-embed-failed",
    layer=Layer.ELEMENT,
    owner=Party.APP,
    title="Another ChatKit element of the page does not mount",
    cause="The page has several <openai-chatkit> elements. Each one has its own verdict; the verdict of the visit "
    "is that of the first visible element in use.",
    remedy="Read about the named cause with chatkit-harness explain, and fix that element as if it were the only one.",
    finds=another_embed_failed,
    confidence=Confidence.LIKELY,
    stops_mount=False,
)


RULES = (
    WRONG_TAG,
    OPTIONS_BEFORE_UPGRADE,
    OPTIONS_UNDEFINED,
    OPTIONS_NOT_SERIALISABLE,
    SET_OPTIONS_THREW,
    ELEMENT_DEFINED_BY_ANOTHER,
    OPTIONS_NEVER_SET,
    ELEMENT_MOVED,
    ELEMENT_TAKEN_OUT,
    COMMAND_NOT_AVAILABLE,
    ANOTHER_EMBED_FAILED,
)
