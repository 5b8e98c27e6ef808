"""Domain verification: the frame asks OpenAI whether the page may show ChatKit, and asks for its removal if not.

In: facts. Out: findings of this layer. A check that fails on a development origin has no effect and is not a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.analysis.facts.facts import Facts, evidence_of
from harness.analysis.mount.tracks import Element, Frame
from harness.analysis.mount.verdict import Outcome
from harness.analysis.rules.network import network_confidence
from harness.analysis.rules.rule import (
    ALLOWLIST,
    CHATKIT_PYTHON,
    Confidence,
    Found,
    Layer,
    Party,
    Rule,
    told,
    with_loaded,
)
from harness.model.chatkit import WRAPPER

NOT_VERIFIED = r"Domain verification failed for"
TIMED_OUT = r"verification request timed out"
PASSING_HOSTS = re.compile(
    r"\.(ngrok(-free)?\.(app|io|dev)|devtunnels\.ms|github\.dev|gitpod\.io|lovable\.(app|dev)|vercel\.app|netlify\.app|trycloudflare\.com|loca\.lt|webcontainer\.io|pages\.dev|replit\.dev)$"
)
LONGEST_CHECK_MS = 9_000
_REGISTER = f"Register the exact host at {ALLOWLIST}, in the organisation that owns the key, and wait a few minutes."


def _is_removed(facts: Facts) -> bool:
    """Whether the frame asked for its removal, or is removed."""
    return facts.mount.frame is Frame.UNMOUNTED or facts.mount.element is Element.REMOVED


def _check(facts: Facts) -> Exchange | None:
    """The domain check that caused the removal of the widget."""
    return facts.last_check if _is_removed(facts) else None


def _end(facts: Facts) -> tuple[int, ...]:
    """The lines on which the frame asks for its removal."""
    goodbyes = [s.seq for s in facts.messages if s.event.name == "unmount"]
    errors = [e.seq for e in facts.errors_about(r"domain verification")]
    return (*errors[:1], *goodbyes[:1])


def _is_without_secret(check: Exchange) -> bool:
    return check.request.bearer == "empty" and check.path.endswith("_hosted")


def domain_not_registered(facts: Facts) -> Iterator[Found]:
    """The page's origin is not on the allowlist."""
    if not _is_removed(facts):
        return
    check, said = facts.last_check, facts.errors_about(NOT_VERIFIED)
    is_no = check is not None and (
        check.status in (400, 404) or (check.body is not None and check.body.is_verified is False)
    )
    if not (is_no or said) or (check is not None and _is_without_secret(check) and not said):
        return
    if facts.options and facts.options.event.domain_key_format == "placeholder":
        return
    yield Found(
        summary=f"{told(check) if check else 'the domain check'}: {facts.page.origin or 'this origin'} is not verified{_hint(facts)}",
        evidence=(*(evidence_of(check) if check else ()), *_end(facts)) or with_loaded(facts),
    )


DOMAIN_NOT_REGISTERED = Rule(
    id="domain-not-registered",
    layer=Layer.DOMAIN,
    owner=Party.CONFIGURATION,
    title="The page's domain is not on OpenAI's allowlist",
    cause="OpenAI's allowlist does not have this origin in the organisation of the secret or domain key. The "
    "widget appears for a second or two and is then removed. localhost is not checked, so this problem "
    "appears only after deployment.",
    remedy=_REGISTER,
    finds=domain_not_registered,
    covers=(
        "domain-not-registered",
        "domain-tunnel-or-preview-host",
        "domain-www-or-propagation",
        "app-element-in-nested-frame",
    ),
    doc=ALLOWLIST,
)


def domain_key_placeholder(facts: Facts) -> Iterator[Found]:
    """The page still uses the domain key of the examples."""
    options = facts.options
    if options is None or options.event.domain_key_format != "placeholder" or not _is_removed(facts):
        return
    check = facts.last_check
    if check is None or check.status not in (200, 400, 401, 403, 404):
        return
    yield Found(
        summary=f"{told(check)}, and the options contain a placeholder instead of a domain key",
        evidence=(options.seq, *evidence_of(check), *_end(facts)),
    )


DOMAIN_KEY_PLACEHOLDER = Rule(
    id="domain-key-placeholder",
    layer=Layer.DOMAIN,
    owner=Party.CONFIGURATION,
    title="The domain key is a placeholder",
    cause="This build contains the domain key of the examples, not the real one.",
    remedy=f"Build the app again with the real key. {_REGISTER}",
    finds=domain_key_placeholder,
    confidence=Confidence.LIKELY,
    covers=("domain-key-stale-in-build",),
    doc=f"{CHATKIT_PYTHON}guides/prepare-your-app-for-production",
)


def verification_without_secret(facts: Facts) -> Iterator[Found]:
    """The check was sent without a secret."""
    check = _check(facts)
    if check is not None and check.status in (401, 403) and _is_without_secret(check):
        yield Found(
            summary=f"{told(check)}: it was sent with an empty bearer token, so the frame never had a secret",
            evidence=(*evidence_of(check), *_end(facts)),
        )


VERIFICATION_WITHOUT_SECRET = Rule(
    id="verification-without-secret",
    layer=Layer.DOMAIN,
    owner=Party.APP,
    title="The domain check is refused because it has no secret",
    cause="Hosted widgets send their client secret with the check. getClientSecret failed before, and the frame "
    "continued without a secret. The allowlist is not the cause.",
    remedy="Find out why getClientSecret returned no usable secret.",
    finds=verification_without_secret,
    symptom_of=(Layer.SESSION, Layer.UPSTREAM, "workflow-id-missing"),
    covers=("domain-verify-401-no-valid-secret", "session-secret-rejected-silently"),
)


def verification_unauthorized(facts: Facts) -> Iterator[Found]:
    """The secret of the check is rejected."""
    check = _check(facts)
    is_placeholder = facts.options is not None and facts.options.event.domain_key_format == "placeholder"
    if check is not None and check.status in (401, 403) and not _is_without_secret(check) and not is_placeholder:
        yield Found(summary=told(check), evidence=(*evidence_of(check), *_end(facts)))


VERIFICATION_UNAUTHORIZED = Rule(
    id="verification-unauthorized",
    layer=Layer.DOMAIN,
    owner=Party.CONFIGURATION,
    title="The domain check rejects the secret",
    cause="The secret is expired, cancelled, or belongs to another project or region. Less often, the origin is "
    "not allowed.",
    remedy=f"Create a new session for every widget and check its expiry time. Then check the allowlist: {ALLOWLIST}",
    finds=verification_unauthorized,
    confidence=Confidence.LIKELY,
    symptom_of=("mock-secret", "stale-secret-returned"),
    covers=("domain-verify-401-no-valid-secret", "domain-sudden-failure"),
)


def verification_failing(facts: Facts) -> Iterator[Found]:
    """The domain check is answered with a server error."""
    check = _check(facts)
    if check is not None and check.status >= 500:
        tries = [seq for x in facts.checks for seq in evidence_of(x)]
        yield Found(summary=f"{told(check)}, {len(facts.checks)} times", evidence=(*tries[-6:], *_end(facts)))


VERIFICATION_FAILING = Rule(
    id="verification-failing",
    layer=Layer.DOMAIN,
    owner=Party.API,
    title="OpenAI's domain check has an internal error",
    cause="OpenAI's server failed. The widget tries twice and is then removed.",
    remedy="Try again later; see https://status.openai.com.",
    finds=verification_failing,
    covers=("domain-verify-5xx",),
    doc="https://status.openai.com",
)


def verification_rate_limited(facts: Facts) -> Iterator[Found]:
    """The domain check is answered with 429."""
    check = _check(facts)
    if check is not None and check.status == 429:
        yield Found(summary=told(check), evidence=(*evidence_of(check), *_end(facts)))


VERIFICATION_RATE_LIMITED = Rule(
    id="verification-rate-limited",
    layer=Layer.DOMAIN,
    owner=Party.CONFIGURATION,
    title="OpenAI refuses the domain check because of a rate limit",
    cause="This address loaded many widgets in a short time.",
    remedy="Load fewer widgets per minute; share a widget between tests.",
    finds=verification_rate_limited,
)


def verification_timed_out(facts: Facts) -> Iterator[Found]:
    """The check received no response within ten seconds, or before the mount timeout."""
    last = facts.last_check
    if facts.outcome is Outcome.TIMEOUT and last is not None and last.is_open:
        waited_s = (facts.decided_at_ms - last.started_at_ms) / 1000
        summary = f"{last.request.method} {last.url} received no response in {waited_s:.1f} s, until the mount timeout"
        yield Found(summary=summary, evidence=evidence_of(last))
        return
    check = _check(facts)
    if check is None or check.status:
        return
    is_long = check.ended_at_ms is not None and check.ended_at_ms - check.started_at_ms >= LONGEST_CHECK_MS
    if facts.errors_about(TIMED_OUT) or (check.is_aborted and is_long):
        yield Found(summary=f"{told(check)} after 10 s", evidence=(*evidence_of(check), *_end(facts)))


VERIFICATION_TIMED_OUT = Rule(
    id="verification-timed-out",
    layer=Layer.DOMAIN,
    owner=Party.API,
    title="The domain check is not answered",
    cause="The network drops or throttles the connection to OpenAI's API. The widget stops waiting after ten seconds.",
    remedy="Allow connections to api.openai.com and its regional hosts.",
    finds=verification_timed_out,
    covers=("domain-verify-timeout",),
)


def verification_unreachable(facts: Facts) -> Iterator[Found]:
    """The browser cannot reach the host that checks the domain."""
    check = _check(facts)
    if check is not None and check.failure and not check.is_aborted and not facts.errors_about(TIMED_OUT):
        tries = [seq for x in facts.checks for seq in evidence_of(x)]
        yield Found(summary=told(check), evidence=(*tries[-6:], *_end(facts)), confidence=network_confidence(check))


VERIFICATION_UNREACHABLE = Rule(
    id="verification-unreachable",
    layer=Layer.DOMAIN,
    owner=Party.API,
    title="The browser cannot reach the domain check",
    cause="A firewall, a blocker or DNS prevents the browser from reaching OpenAI's API. The check cannot be "
    "disabled, not even with a custom backend.",
    remedy="Allow api.openai.com, us.api.openai.com and eu.api.openai.com on this network.",
    finds=verification_unreachable,
    covers=("domain-verify-unreachable", "policy-adblock"),
)


def widget_removed(facts: Facts) -> Iterator[Found]:
    """The widget was removed, and no domain check explains it."""
    if not _is_removed(facts):
        return
    if facts.checks or facts.errors_about(NOT_VERIFIED) or facts.errors_about(TIMED_OUT):
        return
    said = facts.errors_about(r"DomainVerificationRequestError")
    yield Found(
        summary="the widget was present, and its frame was removed from the element"
        + (f": {said[0].message}" if said else ""),
        evidence=(*_end(facts), *(e.seq for e in said[:1]), *_emptied(facts)) or with_loaded(facts),
    )


WIDGET_REMOVED = Rule(
    id="widget-removed",
    layer=Layer.DOMAIN,
    owner=Party.APP,
    title="The widget was removed",
    cause="The frame asked to be removed, or other code emptied the element. Usually the domain check failed.",
    remedy=f"Check the frame's requests to domain_keys. {_REGISTER}",
    finds=widget_removed,
    confidence=Confidence.POSSIBLE,
    symptom_of=(Layer.SESSION, Layer.UPSTREAM),
)


def _emptied(facts: Facts) -> tuple[int, ...]:
    """The line on which the shadow root no longer has a wrapper."""
    return tuple(s.seq for s in facts.shadows if WRAPPER not in s.event.children)[-1:]


def _hint(facts: Facts) -> str:
    """What is special about this origin, as the end of a sentence."""
    host = split_url(facts.page.url).hostname or ""
    if PASSING_HOSTS.search(host):
        return "; hosts of tunnels and previews change, and each one is a separate origin"
    if not facts.page.is_top:
        return "; this is the origin of the inner document that contains the element, not of the outer page"
    return "; with www. and without www. are two separate entries" if host.startswith("www.") else ""


RULES = (
    DOMAIN_NOT_REGISTERED,
    DOMAIN_KEY_PLACEHOLDER,
    VERIFICATION_WITHOUT_SECRET,
    VERIFICATION_UNAUTHORIZED,
    VERIFICATION_FAILING,
    VERIFICATION_RATE_LIMITED,
    VERIFICATION_TIMED_OUT,
    VERIFICATION_UNREACHABLE,
    WIDGET_REMOVED,
)
