"""Whether a user can see the widget: its size, its position, and what covers it.

In: facts. Out: findings of this layer. When there is no box yet, these findings are predictions.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.facts.facts import Facts
from harness.analysis.mount.tracks import Element
from harness.analysis.rules.rule import CHATKIT_JS, MDN, Confidence, Found, Layer, Party, Rule, lines_of
from harness.model.events import BoxChanged

UNPAINTED = ("clip-path", "content-visibility", "display:contents", "transform")
STANDING = (Element.UPGRADED, Element.CONFIGURED, Element.LOADED, Element.REMOVED)


def _box(facts: Facts) -> BoxChanged | None:
    """The element's last box, while it is in the document and upgraded."""
    return facts.box.event if facts.box and facts.mount.element in STANDING and facts.is_settled else None


def _seq(facts: Facts) -> tuple[int, ...]:
    return (facts.box.seq,) if facts.box else ()


def styles_blocked_by_csp(facts: Facts) -> Iterator[Found]:
    """The page's policy blocks the element's own styles."""
    hits = [s for s in facts.violations if s.event.directive.startswith("style-src") and _is_loaders(s.event.source)]
    box = _box(facts)
    if hits and box is not None:
        yield Found(
            summary=f"{hits[0].event.directive} of the page's policy does not allow the loader's inline style "
            f"sheet; the element is {box.width_px:g}x{box.height_px:g} px",
            evidence=(*lines_of(hits[:4]), *_seq(facts)),
        )


STYLES_BLOCKED_BY_CSP = Rule(
    id="styles-blocked-by-csp",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The page's Content-Security-Policy blocks the element's styles",
    cause="The loader adds an inline style sheet to the shadow root. Without it the element has no size, and the "
    "frame has the browser's small default size.",
    remedy="Add the hashes that the console shows to style-src, or allow 'unsafe-inline' for styles.",
    finds=styles_blocked_by_csp,
    outlives_mount=True,
    covers=("policy-csp-style-src",),
    doc=f"{MDN}HTTP/Reference/Headers/Content-Security-Policy/style-src",
)


def element_without_height(facts: Facts) -> Iterator[Found]:
    """The element has no height."""
    if any(styles_blocked_by_csp(facts)):
        return
    box = _box(facts)
    if box is not None and box.is_rendered and box.height_px <= 0:
        container = f"; its container {box.container} is {box.container_height_px:g} px high" if box.container else ""
        yield Found(
            summary=f"the element is {box.width_px:g}x{box.height_px:g} px{container}",
            evidence=_seq(facts),
            # A container with a height would have passed it on.
            confidence=None if box.container_height_px <= 0 or box.height_css in ("", "auto") else Confidence.LIKELY,
        )
        return
    event = facts.box.event if facts.box else None
    is_to_come = facts.mount.element is Element.CONNECTED and facts.is_settled
    is_flat = event is not None and event.container_height_px == 0 and event.height_px <= 0 and event.is_rendered
    if is_to_come and event is not None and is_flat and event.height_css in ("", "auto", "100%"):
        yield Found(
            summary=f"the container {event.container} has no height, and the element will take 100 % of it: 0 px",
            evidence=_seq(facts),
            confidence=Confidence.LIKELY,
            is_prediction=True,
        )


ELEMENT_WITHOUT_HEIGHT = Rule(
    id="element-without-height",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The element has no height",
    cause="The element takes 100 % of its container's height. In a container with automatic height, or in a flex "
    "item whose parent is not a flex column, that is 0. A test that looks inside the frame does not notice "
    "it.",
    remedy="Set a height on the element or its container, or let the element grow in a flex column.",
    finds=element_without_height,
    covers=("visibility-zero-height", "visibility-flex-parent"),
    doc=CHATKIT_JS,
)


def element_without_width(facts: Facts) -> Iterator[Found]:
    """The element has no width."""
    box = _box(facts)
    if box is not None and box.is_rendered and box.width_px <= 0 and box.height_px > 0:
        yield Found(summary=f"the element is {box.width_px:g}x{box.height_px:g} px", evidence=_seq(facts))


ELEMENT_WITHOUT_WIDTH = Rule(
    id="element-without-width",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The element has no width",
    cause="Its container has no width, or the layout leaves none for it.",
    remedy="Set a width on the element or its container.",
    finds=element_without_width,
)


def container_hidden(facts: Facts) -> Iterator[Found]:
    """The element, or a container of it, is not rendered."""
    box = _box(facts)
    if box is not None and box.hidden_by.startswith(("display:none", "visibility")):
        yield Found(summary=f"the element is hidden by {box.hidden_by}", evidence=_seq(facts))


CONTAINER_HIDDEN = Rule(
    id="container-hidden",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The widget is in a hidden container",
    cause="A closed launcher, a tab that is not selected, or a class that is never removed. The widget starts "
    "even when it is hidden.",
    remedy="Open the container. In a test, click the launcher first.",
    finds=container_hidden,
    covers=("visibility-hidden-container",),
)


def element_transparent(facts: Facts) -> Iterator[Found]:
    """The element, or a container of it, is fully transparent."""
    box = _box(facts)
    if box is not None and box.hidden_by.startswith("opacity"):
        yield Found(summary=f"the element is hidden by {box.hidden_by}", evidence=_seq(facts))


ELEMENT_TRANSPARENT = Rule(
    id="element-transparent",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The app keeps the widget invisible",
    cause="The app hides the element until its own flag changes. The flag depends on something that failed, or it "
    "never changes.",
    remedy="Show the widget on chatkit.ready and on chatkit.error, and fix the condition of the flag.",
    finds=element_transparent,
    symptom_of=(
        Layer.SCRIPT,
        Layer.ELEMENT,
        Layer.OPTIONS,
        Layer.SESSION,
        Layer.UPSTREAM,
        Layer.FRAME,
        Layer.HANDSHAKE,
        Layer.DOMAIN,
    ),
    covers=("app-loading-overlay-stuck",),
)


def element_clipped(facts: Facts) -> Iterator[Found]:
    """A container clips the element."""
    box = _box(facts)
    if box is not None and box.hidden_by.startswith("clipped"):
        yield Found(summary=f"the element is {box.hidden_by}", evidence=_seq(facts))


ELEMENT_CLIPPED = Rule(
    id="element-clipped",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="A container clips the widget",
    cause="The element is outside of its container or larger than it, and the container hides overflow.",
    remedy="Change the size of the container, or the position of the element.",
    finds=element_clipped,
    covers=("visibility-flex-parent",),
)


def element_not_painted(facts: Facts) -> Iterator[Found]:
    """The element has a box, and a container prevents it from being painted."""
    box = _box(facts)
    if box is not None and box.hidden_by.startswith(UNPAINTED):
        yield Found(summary=f"the element is hidden by {box.hidden_by}", evidence=_seq(facts))


ELEMENT_NOT_PAINTED = Rule(
    id="element-not-painted",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The widget has a box but is not painted",
    cause="A closed <details>, content-visibility, clip-path or a scale of 0 on a container prevents painting. So "
    "does display:contents on the element, which removes its box.",
    remedy="Open the container. In a test, open it first.",
    finds=element_not_painted,
    covers=("visibility-hidden-container",),
    doc=f"{MDN}API/Element/checkVisibility",
)


def element_off_screen(facts: Facts) -> Iterator[Found]:
    """The element is where a user cannot scroll to."""
    box = _box(facts)
    if box is not None and box.is_rendered and not box.is_reachable and box.width_px > 0 and box.height_px > 0:
        yield Found(summary="the element's box is outside of the scrollable area", evidence=_seq(facts))


ELEMENT_OFF_SCREEN = Rule(
    id="element-off-screen",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="The widget is off the screen",
    cause="It was moved off the screen to hide it, or positioned outside of the page.",
    remedy="Move it back when it should be visible.",
    finds=element_off_screen,
    doc=f"{MDN}CSS/position",
)


def element_covered(facts: Facts) -> Iterator[Found]:
    """Another element covers it."""
    box = _box(facts)
    if box is not None and box.is_rendered and box.is_reachable and box.covered_by:
        yield Found(summary=f"{box.covered_by} covers the middle of the element", evidence=_seq(facts))


ELEMENT_COVERED = Rule(
    id="element-covered",
    layer=Layer.SIGHT,
    owner=Party.APP,
    title="Another element covers the widget",
    cause="An overlay, a modal or a launcher is on top of the widget and receives the clicks.",
    remedy="Remove the overlay on chatkit.ready, or correct the stacking order.",
    finds=element_covered,
    confidence=Confidence.LIKELY,
    stops_mount=False,
    symptom_of=(
        Layer.SCRIPT,
        Layer.ELEMENT,
        Layer.OPTIONS,
        Layer.SESSION,
        Layer.UPSTREAM,
        Layer.FRAME,
        Layer.HANDSHAKE,
        Layer.DOMAIN,
    ),
    covers=("visibility-covered", "app-loading-overlay-stuck"),
)


def _is_loaders(source: str) -> bool:
    return source.endswith("/chatkit.js")


RULES = (
    STYLES_BLOCKED_BY_CSP,
    ELEMENT_WITHOUT_HEIGHT,
    ELEMENT_WITHOUT_WIDTH,
    CONTAINER_HIDDEN,
    ELEMENT_TRANSPARENT,
    ELEMENT_CLIPPED,
    ELEMENT_NOT_PAINTED,
    ELEMENT_OFF_SCREEN,
    ELEMENT_COVERED,
)
