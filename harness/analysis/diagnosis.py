"""The cause of a failed mount and all other findings, in the order of their evidence. Consequences are linked to the finding that
explains them.

In: facts, console problems, entries. Out: findings. A rule that crashes becomes a finding; a failure that no rule knows becomes one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.analysis.facts.console_policy import STATUS_ECHO
from harness.analysis.facts.facts import Facts
from harness.analysis.mount.state import Backend, Milestone
from harness.analysis.rules import BY_ID, RULES
from harness.analysis.rules.rule import Confidence, Found, Layer, Party, Rule, on_one_line
from harness.model import events
from harness.model.addresses import ASSETS
from harness.model.results import ConsoleProblem, Finding
from harness.model.timeline import Entry

MOST_EVIDENCE = 12
MOST_CONSOLE_FINDINGS = 10
BROUGHT_ON_MS = 1_000  # an uncaught error within this time after an error of the widget counts as its consequence
SHORTEST_MESSAGE = 12  # shorter messages occur in too many console lines
ORDER = {layer.value: number for number, layer in enumerate(Layer)}
POLICY = ("Content Security Policy directive", "Content-Security-Policy: ")  # of violations, in Chromium and Firefox
REFUSED_BY_POLICY = "violates the document's Content Security Policy"  # and what Chromium writes about the request
Needles = frozenset[
    tuple[str, ...]
]  # lists of texts; a console line that contains all texts of one list reports the same problem
UNEXPLAINED = "unexplained"
UNCAUGHT = "uncaught-error"
CONSOLE = "console-error"
CRASHED = "rule-crashed"
DEAF = "action-without-effect"
# Up to these milestones the page's own code must act, and an uncaught error can explain why it does not.
PAGES_DUTY = (
    Milestone.SCRIPT_REQUESTED,
    Milestone.ELEMENT_DEFINED,
    Milestone.ELEMENT_CONNECTED,
    Milestone.OPTIONS_ACCEPTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """The texts of a finding that is made without a rule."""

    layer: Layer
    owner: Party
    title: str
    cause: str
    remedy: str


GENERAL: dict[str, General] = {
    UNCAUGHT: General(
        layer=Layer.CONSOLE,
        owner=Party.APP,
        title="An uncaught error on the page",
        cause="The page's code threw an error that was not caught. The code after that point did not run.",
        remedy="Fix it. If it is harmless, add a part of its text to console_allow.",
    ),
    CONSOLE: General(
        layer=Layer.CONSOLE,
        owner=Party.APP,
        title="An error on the console",
        cause="The page or the browser reported an error that no other finding explains.",
        remedy="Fix it. If it is harmless, add a part of its text to console_allow.",
    ),
    UNEXPLAINED: General(
        layer=Layer.CONSOLE,
        owner=Party.NOBODY,
        title="The mount failed, and no rule explains it",
        cause="The observations match no known failure. The first missing milestone shows where to look.",
        remedy="Read the timeline around the evidence lines. Report the failure with the bundle, so that a rule "
        "can be added.",
    ),
    CRASHED: General(
        layer=Layer.CONSOLE,
        owner=Party.NOBODY,
        title="A rule of the harness failed",
        cause="chatkit-harness has a defect. The other findings are valid.",
        remedy="Report it with the bundle.",
    ),
}


def diagnose(
    facts: Facts, problems: Iterable[ConsoleProblem], entries: tuple[Entry, ...], rules: tuple[Rule, ...] = RULES
) -> tuple[Finding, ...]:
    """Return the findings of a visit, ordered by earliest evidence. At most one of them is the cause."""
    found = [finding for rule in rules for finding in _applied(rule, facts, entries)]
    found = _to_the_root([_linked(finding, found) for finding in found])
    found, open_problems = _with_console(found, problems, entries)
    found += _console_findings(open_problems)
    found = [_brought_on(finding, found, entries) for finding in found]
    cause = _cause(found, facts)
    if cause is None and facts.outcome is not None and not facts.is_mounted:
        cause = _unexplained(facts, entries)
        found.append(cause)
    found = [_with_role(finding, cause) for finding in found]
    return tuple(sorted(found, key=lambda f: (f.evidence[0], ORDER[f.layer], f.rule)))


# --- rules --------------------------------------------------------------------------------------------------------


def _applied(rule: Rule, facts: Facts, entries: tuple[Entry, ...]) -> tuple[Finding, ...]:
    """The finding of one rule: at most one, even when the state occurs several times."""
    if facts.is_mounted and rule.stops_mount and not rule.outlives_mount:
        return ()
    try:
        found = [one for one in rule.finds(facts) if any(line > 0 for line in one.evidence)]
    except Exception as error:  # a defect in one rule must not affect the others
        line = entries[-1].seq if entries else 0
        return (_general(CRASHED, f"rule {rule.id} failed: {error!r}", (line,), Confidence.CERTAIN),)
    return (_merged(rule, found),) if found else ()


def _merged(rule: Rule, found: list[Found]) -> Finding:
    first = found[0]
    return Finding(
        rule=rule.id,
        layer=rule.layer.value,
        title=rule.title,
        summary=first.summary,
        cause=rule.cause,
        remedy=rule.remedy,
        confidence=(first.confidence or rule.confidence).value,
        evidence=_sorted(seq for one in found for seq in one.evidence),
        role="also",
        is_prediction=first.is_prediction,
        doc=rule.doc,
    )


def _sorted(lines: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({line for line in lines if line > 0}))[:MOST_EVIDENCE]


def _linked(finding: Finding, found: list[Finding]) -> Finding:
    """The finding, linked to the one that explains it: the earliest of those that its rule names."""
    explaining = BY_ID[finding.rule].symptom_of if finding.rule in BY_ID else ()
    causes = [
        other
        for other in found
        if other is not finding
        and not (other.is_prediction and not finding.is_prediction)
        and (
            other.rule in explaining
            or (other.layer in explaining and _stops(other) and not _is_explained(other, finding))
        )
    ]
    if not causes:
        return finding
    return replace(finding, caused_by=min(causes, key=_place).rule)


def _is_explained(finding: Finding, other: Finding) -> bool:
    """Whether a finding is itself a consequence of the other one, and so cannot explain it."""
    explaining = BY_ID[finding.rule].symptom_of if finding.rule in BY_ID else ()
    return other.rule in explaining or other.layer in explaining


def _to_the_root(found: list[Finding]) -> list[Finding]:
    """The findings, each linked to the first finding of its chain, not to the next one."""
    above = {finding.rule: finding.caused_by for finding in found}

    def root(name: str) -> str:
        seen = set()
        while above.get(name) and name not in seen:
            seen.add(name)
            name = above[name]
        return name

    return [replace(finding, caused_by=root(finding.caused_by)) if finding.caused_by else finding for finding in found]


def _place(finding: Finding) -> tuple[int, int]:
    return ORDER[finding.layer], finding.evidence[0]


def _stops(finding: Finding) -> bool:
    return finding.rule in BY_ID and BY_ID[finding.rule].stops_mount


def _brought_on(finding: Finding, found: list[Finding], entries: tuple[Entry, ...]) -> Finding:
    """An uncaught error, linked to the widget's failure that caused it.

    Either the widget reported that failure just before, or the frame's own code threw the error just after a request failed.
    """
    if finding.rule != UNCAUGHT:
        return finding
    thrown = next(entry for entry in entries if entry.seq == finding.evidence[0])
    is_frames = isinstance(thrown.event, events.PageErrorRaised) and ASSETS in thrown.event.stack
    before = [e for e in entries if e.seq < thrown.seq and thrown.at_ms - e.at_ms <= BROUGHT_ON_MS]
    told = {e.seq for e in before if _is_widgets_error(e.event) or (is_frames and _is_refusal(e.event))}
    explaining = [f for f in found if f.rule in BY_ID and UNCAUGHT not in BY_ID[f.rule].symptom_of]
    causes = [f for f in explaining if told.intersection(f.evidence)]
    if not causes:
        return finding
    first = min(causes, key=_place)
    return replace(finding, caused_by=first.caused_by or first.rule)


def _is_refusal(event: events.Event) -> bool:
    """Whether a request failed, or was refused."""
    return isinstance(event, events.RequestFailed) or (
        isinstance(event, events.ResponseReceived) and event.status >= 400
    )


def _is_widgets_error(event: events.Event) -> bool:
    """Whether ChatKit reports an error, from its frame or on its element."""
    if isinstance(event, events.WidgetEvent):
        return event.name == "chatkit.error"
    return isinstance(event, events.FrameMessage) and event.error_message != ""


# --- cause --------------------------------------------------------------------------------------------------------


def _cause(found: list[Finding], facts: Facts) -> Finding | None:
    """The finding at the first broken part of the mount; an uncaught error only when there is no other."""
    if facts.outcome is None or facts.is_mounted:
        return None
    real = [f for f in found if not f.is_prediction and not f.caused_by]
    stopping = [f for f in real if _stops(f) and _is_about_what_broke(f, facts)]
    # When a click has no effect, an earlier error may be the reason: the code that attaches the handler did not run.
    is_deaf = any(f.rule == DEAF for f in stopping)
    uncaught = [f for f in real if f.rule == UNCAUGHT and (is_deaf or f.evidence[-1] > facts.acted_seq)]
    uncaught = uncaught if facts.mount.next_milestone in PAGES_DUTY else []
    weak = [f for f in stopping if UNCAUGHT in BY_ID[f.rule].symptom_of]
    if uncaught and (not stopping or stopping == weak):
        return min(uncaught, key=_place)
    return min(stopping, key=_place) if stopping else None


def _is_about_what_broke(finding: Finding, facts: Facts) -> bool:
    """Whether a finding can be the cause: the box only when all else works, a refused call only when no other call was accepted."""
    if finding.layer == Layer.SIGHT:
        return facts.mount.next_milestone is Milestone.MOUNTED
    return finding.layer != Layer.BACKEND or facts.mount.backend is not Backend.ACCEPTED


def _with_role(finding: Finding, cause: Finding | None) -> Finding:
    if finding is cause:
        return replace(finding, role="cause", caused_by="")
    if finding.caused_by:
        return replace(finding, role="consequence")
    if cause is not None and _follows(finding, cause):
        return replace(finding, role="consequence", caused_by=cause.rule)
    return replace(finding, role="also")


def _follows(finding: Finding, cause: Finding) -> bool:
    """Whether a finding without a link counts as a consequence: later errors, and findings whose rule names the cause."""
    if finding.rule in BY_ID:
        return cause.rule in BY_ID[finding.rule].symptom_of and not finding.is_prediction
    return finding.rule in (UNCAUGHT, CONSOLE) and finding.evidence[0] > cause.evidence[0]


def _unexplained(facts: Facts, entries: tuple[Entry, ...]) -> Finding:
    """The first missing milestone, and the facts nearest to it."""
    mount = facts.mount
    missing, last = mount.next_milestone, mount.last_milestone
    lines = [mount.milestones[last].seq] if last in mount.milestones else []
    lines += [
        x.failure_seq or x.seq
        for x in facts.exchanges
        if x.is_relevant and not x.is_aborted and (x.failure or x.status >= 400)
    ][:4]
    lines += [error.seq for error in facts.errors][:4]
    reached = f"{last.value} was reached" if last else "nothing was reached"
    return _general(
        UNEXPLAINED,
        f"{reached}, {missing.value if missing else 'a stable widget'} was not; no rule explains why",
        tuple(lines) or ((entries[-1].seq,) if entries else (0,)),
        Confidence.POSSIBLE,
    )


def _general(id: str, summary: str, evidence: tuple[int, ...], confidence: Confidence) -> Finding:
    told = GENERAL[id]
    return Finding(
        rule=id,
        layer=told.layer.value,
        title=told.title,
        summary=summary,
        cause=told.cause,
        remedy=told.remedy,
        confidence=confidence.value,
        evidence=_sorted(evidence),
        role="also",
    )


# --- console ------------------------------------------------------------------------------------------------------


def _with_console(
    found: list[Finding], problems: Iterable[ConsoleProblem], entries: tuple[Entry, ...]
) -> tuple[list[Finding], list[ConsoleProblem]]:
    """The findings with the console errors that report the same problem, and the remaining errors."""
    by_seq = {entry.seq: entry.event for entry in entries}
    needles = [(finding, _needles(finding, by_seq)) for finding in found]
    attached: dict[str, list[int]] = {}
    remaining = []
    for problem in problems:
        if problem.is_allowed:
            continue
        is_echo = problem.text.startswith(STATUS_ECHO)  # of a request that the timeline has anyway
        place = _place_of(by_seq.get(problem.seq))
        hit = next((f for f, words in needles if problem.seq in f.evidence or _says(problem.text, place, words)), None)
        if hit is None and not is_echo:
            remaining.append(problem)
        elif hit is not None:
            attached.setdefault(hit.rule, []).append(problem.seq)
    return [replace(f, evidence=_sorted((*f.evidence, *attached.get(f.rule, ())))) for f in found], remaining


def _needles(finding: Finding, by_seq: dict[int, events.Event]) -> Needles:
    """What a console line would repeat from a finding's evidence: addresses and messages."""
    words: set[tuple[str, ...]] = set()
    for seq in finding.evidence:
        match by_seq.get(seq):
            case events.RequestStarted(url=url, is_navigation=False):
                words.add((url,))
            case events.RequestStarted(url=url, is_top_frame=False):
                words.add((url,))
            case events.PolicyViolated(directive=directive, blocked_url=url):
                root = directive.removesuffix("-elem").removesuffix("-attr")
                where = url if "://" in url else ""
                words |= {(says, root, where) for says in POLICY}
                words |= {(says, where) for says in (REFUSED_BY_POLICY,) if where}
            case events.FrameMessage(error_message=message) | events.WidgetEvent(message=message):
                words.add((" ".join(message.split()),))
            case events.ConsoleMessage(text=text):
                words.add((" ".join(text.split()),))
            case events.PageErrorRaised(message=message):
                words.add((" ".join(message.split()),))
            case _:
                pass
    return frozenset(parts for parts in words if len(parts[0]) >= SHORTEST_MESSAGE)


def _place_of(event: events.Event | None) -> str:
    return event.url.split("#")[0] if isinstance(event, events.ConsoleMessage) else ""


def _says(text: str, place: str, words: Needles) -> bool:
    line = " ".join(text.split())
    is_echo = line.startswith(STATUS_ECHO) and (place,) in words
    return is_echo or any(all(part in line for part in parts) for parts in words)


def _console_findings(problems: list[ConsoleProblem]) -> list[Finding]:
    """The errors that no finding explains, each text once."""
    by_text: dict[tuple[str, str], list[int]] = {}
    uncaught = dict.fromkeys(on_one_line(problem.text) for problem in problems if problem.kind == "uncaught")
    thrown = [text for text in uncaught if len(text) >= SHORTEST_MESSAGE][:MOST_CONSOLE_FINDINGS]
    for problem in problems:
        line = on_one_line(problem.text)
        # Frameworks and some browsers also write thrown errors to the console.
        said = next((text for text in thrown if text in line), "")
        key = ("uncaught", said) if said else (problem.kind, line)
        by_text.setdefault(key, []).append(problem.seq)
    found = [
        _general(
            UNCAUGHT if kind == "uncaught" else CONSOLE,
            text + (f" ({len(lines)} times)" if len(lines) > 1 else ""),
            tuple(lines),
            Confidence.POSSIBLE,
        )
        for (kind, text), lines in list(by_text.items())[:MOST_CONSOLE_FINDINGS]
    ]
    left = len(by_text) - len(found)
    if left > 0:
        last = list(by_text.values())[MOST_CONSOLE_FINDINGS:]
        found.append(
            _general(
                CONSOLE,
                f"and {left} more errors",
                tuple(seq for lines in last for seq in lines),
                Confidence.POSSIBLE,
            )
        )
    return found
