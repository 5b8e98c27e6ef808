"""The API key and OpenAI's API, called directly, without the app.

In: the hops. Out: findings that only a preflight makes. `upstream` recognises the API's own error messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.analysis.rules import upstream
from harness.analysis.rules.hop_rule import (
    API_KINDS,
    KEYS_PAGE,
    STATUS_PAGE,
    UNREACHED,
    HopRule,
    numbers_of,
    owner_of,
    skipped_of,
    waited,
    workflow_404s,
)
from harness.analysis.rules.rule import CHATKIT_GUIDE, Confidence, Found, Layer, Party, on_one_line
from harness.analysis.smoke.hop_facts import failure_told
from harness.model.hops import Failure, Hop, HopKind, PreflightFacts

REGION = "incorrect regional hostname"


def api_key_not_set(preflight: PreflightFacts) -> Iterator[Found]:
    """No API key is set."""
    asked_for = skipped_of(preflight, *API_KINDS)
    if not preflight.key.kind and asked_for:
        named = f"{preflight.key.variable} is not set" if preflight.key.variable else "no API key is configured"
        yield Found(summary=f"{named}, so OpenAI's API was not called", evidence=numbers_of(*asked_for))


API_KEY_NOT_SET = HopRule(
    id="api-key-not-set",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="There is no API key for the calls to OpenAI",
    cause="The variable that preflight.api_key refers to is empty in this environment. CI systems do not pass "
    "secrets to a job automatically, and do not pass them to forks.",
    remedy="Set the variable, or remove the workflows from the preflight.",
    finds=api_key_not_set,
    is_about_key=True,
)


def api_key_with_wrapping(preflight: PreflightFacts) -> Iterator[Found]:
    """The key has spaces or quotes around it."""
    key, hops = preflight.key, [hop for hop in preflight.hops if hop.kind in API_KINDS]
    if key.kind and (key.has_spaces or key.has_quotes) and hops:
        what = " and ".join(name for name, has in (("quotes", key.has_quotes), ("spaces", key.has_spaces)) if has)
        yield Found(
            summary=f"{key.variable or 'the API key'} contains {what} around the key; this preflight removed them",
            evidence=numbers_of(*hops[:1]),
        )


API_KEY_WITH_WRAPPING = HopRule(
    id="api-key-with-wrapping",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The API key has spaces or quotes around it",
    cause="The key was copied with quotes, or a tool that does not remove quotes, such as docker --env-file, read "
    "it from a .env file. An app that reads the same variable sends the quotes too, and OpenAI rejects the "
    "key.",
    remedy="Set the variable to the key only.",
    finds=api_key_with_wrapping,
    is_fatal=False,
    is_about_key=True,
)


def api_key_of_wrong_kind(preflight: PreflightFacts) -> Iterator[Found]:
    """The configured API key is another kind of value."""
    key, hops = preflight.key, skipped_of(preflight, *API_KINDS)
    if key.kind and not key.is_usable and hops:
        yield Found(
            summary=f"{key.variable or 'api_key'} holds a {key.shown}, and only a project's API key can create "
            "sessions",
            evidence=numbers_of(*hops),
        )


API_KEY_OF_WRONG_KIND = HopRule(
    id="api-key-of-wrong-kind",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The configured API key is not a project's API key",
    cause="Only a project's API key can create sessions. Admin keys, client secrets, domain keys and ids look "
    "similar, but cannot be used.",
    remedy=f"Create a project key at {KEYS_PAGE}, in the workflow's project.",
    finds=api_key_of_wrong_kind,
    doc=KEYS_PAGE,
    is_about_key=True,
)


def api_unreachable(preflight: PreflightFacts) -> Iterator[Found]:
    """OpenAI's API cannot be reached from here."""
    failed = [hop for hop in preflight.of(*API_KINDS, HopKind.DOMAIN, HopKind.CANCEL) if hop.failure in UNREACHED]
    if failed:
        yield Found(summary=f"{failed[0].url} failed with {failure_told(failed[0])}", evidence=numbers_of(*failed))


API_UNREACHABLE = HopRule(
    id="api-unreachable",
    layer=Layer.UPSTREAM,
    owner=Party.API,
    title="OpenAI's API cannot be reached",
    cause="DNS, a firewall or a broken connection between this machine and the API.",
    remedy=f"Allow api.openai.com, us.api.openai.com and eu.api.openai.com; see {STATUS_PAGE}.",
    finds=api_unreachable,
    doc=STATUS_PAGE,
)


def api_unanswered(preflight: PreflightFacts) -> Iterator[Found]:
    """OpenAI's API accepts the request and does not answer."""
    waiting = [hop for hop in preflight.of(*API_KINDS, HopKind.DOMAIN) if hop.failure is Failure.SLOW_ANSWER]
    if waiting:
        yield Found(summary=f"{waiting[0].method} {waiting[0].url} {waited(waiting[0])}", evidence=numbers_of(*waiting))


API_UNANSWERED = HopRule(
    id="api-unanswered",
    layer=Layer.UPSTREAM,
    owner=Party.API,
    title="OpenAI's API does not answer",
    cause="OpenAI has an outage or an overload, or the network drops the response.",
    remedy=f"See {STATUS_PAGE}; try again later.",
    finds=api_unanswered,
    doc=STATUS_PAGE,
)


def api_answered_by_page(preflight: PreflightFacts) -> Iterator[Found]:
    """A web page is delivered instead of OpenAI's response."""
    pages = [
        hop for hop in preflight.of(*API_KINDS, HopKind.DOMAIN)
        if hop.is_answered and hop.status < 500 and hop.media_type == "text/html"
    ]  # fmt: skip
    if pages:
        said = f" ({on_one_line(pages[0].error_text, 120)})" if pages[0].error_text else ""
        yield Found(
            summary=f"{pages[0].url} answered {pages[0].status} with text/html{said}", evidence=numbers_of(*pages)
        )


API_ANSWERED_BY_PAGE = HopRule(
    id="api-answered-by-page",
    layer=Layer.UPSTREAM,
    owner=Party.NETWORK,
    title="A web page is delivered instead of OpenAI's response",
    cause="A captive portal, a proxy or bot protection answers instead of OpenAI, or preflight.api_base is the "
    "address of a web site.",
    remedy="Try another network, and check api_base.",
    finds=api_answered_by_page,
    hides=("wrong-api-path", "session-redirected"),
)


def api_host_of_other_region(preflight: PreflightFacts) -> Iterator[Found]:
    """The key's project is in a region with its own API host."""
    told = [hop for hop in preflight.of(*API_KINDS) if REGION in hop.error_text]
    if told:
        yield Found(summary=on_one_line(told[0].error_text), evidence=numbers_of(*told))


API_HOST_OF_OTHER_REGION = HopRule(
    id="api-host-of-other-region",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The key's project uses another API host",
    cause="Projects with data residency have their own host, such as eu.api.openai.com. Other hosts refuse their keys.",
    remedy='Set preflight.api_base = "https://eu.api.openai.com", and use the same host in the app.',
    finds=api_host_of_other_region,
)


def api_answer_unknown(preflight: PreflightFacts) -> Iterator[Found]:
    """OpenAI's API answers with an error that no rule knows."""
    for hop in preflight.of(*API_KINDS):
        known = REGION in hop.error_text or upstream.is_upstream_text(hop.error_text) or hop.media_type == "text/html"
        is_odd = hop.is_good and (hop.kind is HopKind.API_SESSION) != bool(hop.secret_key)
        if hop.is_answered and ((300 <= hop.status < 500 and not known) or (is_odd and hop.media_type != "text/html")):
            said = f" ({on_one_line(hop.error_text)})" if hop.error_text else ""
            lacks = " without a client secret" if is_odd and hop.kind is HopKind.API_SESSION else ""
            yield Found(summary=f"{hop.method} {hop.url} answered {hop.status}{lacks}{said}", evidence=numbers_of(hop))
            return


API_ANSWER_UNKNOWN = HopRule(
    id="api-answer-unknown",
    layer=Layer.UPSTREAM,
    owner=Party.API,
    title="OpenAI's API answers with an unknown error",
    cause="The error is new, or a proxy answered instead of the API.",
    remedy="Read the response; report the request id to OpenAI.",
    finds=api_answer_unknown,
    confidence=Confidence.POSSIBLE,
)


def workflow_not_visible(preflight: PreflightFacts) -> Iterator[Found]:
    """The workflow is not found, and the key belongs to another project than the expected one."""
    owner = owner_of(preflight)
    for hop in workflow_404s(preflight):
        actual = hop.project or (owner.project if owner else "")
        if actual and preflight.expected_project and actual != preflight.expected_project:
            yield Found(
                summary=f"workflow not visible to this project: {hop.workflow} is expected in {preflight.expected_project}, and "
                f"the "
                f"{preflight.key.shown} belongs to {actual}{_of_organization(preflight, hop, owner)}",
                evidence=numbers_of(hop, *([owner] if owner and owner is not hop else [])),
            )


WORKFLOW_NOT_VISIBLE = HopRule(
    id="workflow-not-visible",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The workflow is not visible to this key's project",
    cause="A project's key can use only the workflows of its own project. The status is 404, as for a workflow "
    "that does not exist; the response header openai-project shows which case it is.",
    remedy="Use a key of the workflow's project. If the key is right, correct preflight.project.",
    finds=workflow_not_visible,
    hides=("workflow-not-found", "key-of-other-project", "key-of-other-organization"),
    doc=CHATKIT_GUIDE,
)


def key_of_other_project(preflight: PreflightFacts) -> Iterator[Found]:
    """The key belongs to another project than the expected one."""
    owner = owner_of(preflight)
    if owner and owner.project and preflight.expected_project not in ("", owner.project):
        yield Found(
            summary=f"the {preflight.key.shown} belongs to {owner.project}, and {preflight.expected_project} is expected",
            evidence=numbers_of(owner),
        )


KEY_OF_OTHER_PROJECT = HopRule(
    id="key-of-other-project",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The API key belongs to another project",
    cause="The response header openai-project names the key's project. It differs from the configured one.",
    remedy="Use a key of that project, or correct preflight.project.",
    finds=key_of_other_project,
    doc=KEYS_PAGE,
)


def key_of_other_organization(preflight: PreflightFacts) -> Iterator[Found]:
    """The key belongs to another organisation than the expected one."""
    owner = owner_of(preflight)
    if owner and owner.organization and preflight.expected_organization not in ("", owner.organization):
        yield Found(
            summary=f"the {preflight.key.shown} belongs to the organisation {owner.organization}, and "
            f"{preflight.expected_organization} is expected",
            evidence=numbers_of(owner),
        )


KEY_OF_OTHER_ORGANIZATION = HopRule(
    id="key-of-other-organization",
    layer=Layer.UPSTREAM,
    owner=Party.CONFIGURATION,
    title="The API key belongs to another organisation",
    cause="The response header openai-organization names the key's organisation. It differs from the configured "
    "one. The domain allowlist belongs to an organisation too.",
    remedy="Use a key of that organisation, or correct preflight.organization.",
    finds=key_of_other_organization,
    doc=KEYS_PAGE,
)


def session_left_behind(preflight: PreflightFacts) -> Iterator[Found]:
    """A session that the preflight created could not be cancelled."""
    failed = [hop for hop in preflight.of(HopKind.CANCEL) if not hop.is_good]
    if failed:
        told = f"answered {failed[0].status}" if failed[0].status else f"failed with {failure_told(failed[0])}"
        yield Found(summary=f"{failed[0].name} {told}", evidence=numbers_of(*failed))


SESSION_LEFT_BEHIND = HopRule(
    id="session-left-behind",
    layer=Layer.UPSTREAM,
    owner=Party.API,
    title="A session of the preflight could not be cancelled",
    cause="The preflight created it as a test. It expires by itself after a minute.",
    remedy="Do nothing, unless it happens every time.",
    finds=session_left_behind,
    is_fatal=False,
)


def _of_organization(preflight: PreflightFacts, hop: Hop, owner: Hop | None) -> str:
    actual = hop.organization or (owner.organization if owner else "")
    is_other = actual and preflight.expected_organization not in ("", actual)
    return f" of the organisation {actual} (expected: {preflight.expected_organization})" if is_other else ""


RULES = (
    API_KEY_NOT_SET,
    API_KEY_OF_WRONG_KIND,
    API_KEY_WITH_WRAPPING,
    API_UNREACHABLE,
    API_UNANSWERED,
    API_ANSWERED_BY_PAGE,
    API_HOST_OF_OTHER_REGION,
    API_ANSWER_UNKNOWN,
    WORKFLOW_NOT_VISIBLE,
    KEY_OF_OTHER_PROJECT,
    KEY_OF_OTHER_ORGANIZATION,
    SESSION_LEFT_BEHIND,
)
