"""Errors of OpenAI's sessions API, recognised by the messages that the app's endpoint passes on.

In: facts. Out: findings of this layer. An app that does not pass on the messages leaves nothing to find here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from harness.analysis.facts.exchanges import split_url
from harness.analysis.facts.facts import Facts
from harness.analysis.rules.rule import CHATKIT_GUIDE, Confidence, Found, Layer, Party, Rule, on_one_line, told

WORDS = {
    "workflow-not-found": r"Workflow with id .{1,80} not found",
    "user-missing": r"Missing required parameter: '?user",
    "workflow-parameter-missing": r"Missing required parameter: '?workflow",
    "workflow-not-an-object": r"Invalid type for '?workflow",
    "parameter-unknown": r"Unknown parameter: '",
    "beta-header-missing": r"OpenAI-Beta",
    "api-key-not-sent": r"Missing bearer or basic authentication|You didn't provide an API key",
    "api-key-incorrect": r"Incorrect API key provided|invalid_api_key",
    "api-key-restricted": r"insufficient permissions for this operation|Missing scopes",
    "region-not-supported": r"Country, region, or territory not supported|unsupported_country_region_territory",
    "sessions-api-failing": r"The server had an error (while )?processing your request",
    "refresh-endpoint-invented": r"Invalid URL \((POST|GET) /v1/chatkit/sessions/refresh",
    "wrong-api-path": r"Invalid URL \(",
    "session-unknown": r"Chatkit Session with id|Invalid 'session_id'",
    "quota-exceeded": r"exceeded your current quota|Rate limit reached|insufficient_quota",
    "hosted-workflows-ended": r"(agent builder|workflows?)[^.]{0,60}"
    r"(no longer (available|supported)|deprecated|has been (shut down|sunset|retired))",
}
ANY = re.compile("|".join(WORDS.values()), re.IGNORECASE)


def is_upstream_text(text: str) -> bool:
    """Whether an error is a message of OpenAI's API."""
    return ANY.search(text) is not None


def _named(text: str) -> str:
    """The first rule that knows this message; "" if none."""
    return next((name for name, words in WORDS.items() if re.search(words, text, re.IGNORECASE)), "")


def _said(name: str, facts: Facts) -> Iterator[Found]:
    """The page's last request for a secret was refused with the error in the title, or getClientSecret rejected with it."""
    call = facts.failed_session
    if call is not None and call.exchange.status and _named(call.error_text) == name:
        yield Found(summary=told(call.exchange), evidence=call.evidence)
        return
    if call is not None and call.error_text:
        return
    rejected = [h for h in facts.handovers if h.error and _named(h.error) == name]
    if rejected and not facts.real_secret_seq:
        yield Found(
            summary=f"getClientSecret rejected with {on_one_line(rejected[-1].error, 200)!r}",
            evidence=((*call.evidence, rejected[-1].answered_seq) if call else (rejected[-1].answered_seq,)),
            confidence=Confidence.LIKELY,
        )


def api_key_in_browser(facts: Facts) -> Iterator[Found]:
    """The page itself calls OpenAI's sessions API."""
    own = [
        x for x in facts.exchanges
        if x.path == "/v1/chatkit/sessions" and x.request.bearer not in ("", "empty")
        and (split_url(x.url).hostname or "").endswith("api.openai.com")
    ]  # fmt: skip
    if own:
        yield Found(
            summary=f"the page itself sends {own[0].request.method} {own[0].url} with an API key",
            evidence=(own[0].seq,),
        )


API_KEY_IN_BROWSER = Rule(
    id="api-key-in-browser",
    layer=Layer.UPSTREAM,
    owner=Party.APP,
    title="The page itself uses an API key",
    cause="Everyone who opens the page can read the key. OpenAI's sessions API must be called from a server.",
    remedy="Revoke the key, and create sessions on a server.",
    finds=api_key_in_browser,
    stops_mount=False,
    doc=CHATKIT_GUIDE,
)


def _rule(
    id: str,
    title: str,
    cause: str,
    remedy: str,
    covers: tuple[str, ...],
    *,
    owner: Party,
    confidence: Confidence = Confidence.CERTAIN,
    doc: str = CHATKIT_GUIDE,
) -> Rule:
    return Rule(
        id=id,
        layer=Layer.UPSTREAM,
        owner=owner,
        title=title,
        cause=cause,
        remedy=remedy,
        finds=partial(_said, id),
        covers=covers,
        confidence=confidence,
        doc=doc,
    )


WORKFLOW_NOT_FOUND = _rule(
    "workflow-not-found",
    "OpenAI does not find the workflow for this API key",
    "The key belongs to another project or organisation than the workflow: a project's key can use only the "
    "workflows of its own project. Or the workflow was deleted or never published, or its id is mistyped, or the "
    "server uses another key than intended.",
    "Create the key in the workflow's project. Compare the header openai-project of the response. Check whether a "
    "shell variable overrides the value in the .env file.",
    ("openai-sessions-workflow-404", "session-app-key-shadowed"),
    owner=Party.CONFIGURATION,
)

USER_MISSING = _rule(
    "user-missing",
    "The session request has no user",
    "OpenAI requires a top-level `user`. The app omits it, or nests it.",
    "Send user: '<a stable id>' at the top level of the request.",
    ("openai-sessions-missing-user",),
    owner=Party.APP,
)

WORKFLOW_PARAMETER_MISSING = _rule(
    "workflow-parameter-missing",
    "The session request has no workflow",
    "`workflow` is missing, or sent under another name such as workflow_id.",
    "Send workflow: { id: 'wf_…' }.",
    ("openai-sessions-missing-workflow",),
    owner=Party.APP,
)

WORKFLOW_NOT_AN_OBJECT = _rule(
    "workflow-not-an-object",
    "The workflow is sent as a string",
    "OpenAI requires an object that contains the id.",
    "Send workflow: { id: 'wf_…' }.",
    ("openai-sessions-workflow-type",),
    owner=Party.APP,
)

PARAMETER_UNKNOWN = _rule(
    "parameter-unknown",
    "The request has a field that this endpoint does not know",
    "A field is misspelled, or the request went to another endpoint than the one for sessions.",
    "POST to https://api.openai.com/v1/chatkit/sessions with documented fields only.",
    ("openai-wrong-endpoint-unknown-parameter",),
    owner=Party.APP,
)

BETA_HEADER_MISSING = _rule(
    "beta-header-missing",
    "The session request lacks the beta header",
    "ChatKit's API is in beta and requires a header that opts in.",
    "Send OpenAI-Beta: chatkit_beta=v1.",
    ("openai-sessions-missing-beta",),
    owner=Party.APP,
)

API_KEY_NOT_SENT = _rule(
    "api-key-not-sent",
    "The server calls OpenAI without an API key",
    "The authorization header is missing or empty: the variable is not set in the server's environment.",
    "Set OPENAI_API_KEY there, and restart the server.",
    ("openai-sessions-no-auth",),
    owner=Party.CONFIGURATION,
)

API_KEY_INCORRECT = _rule(
    "api-key-incorrect",
    "OpenAI rejects the API key as incorrect",
    "The key is revoked, mistyped, or another kind of key: a domain key (domain_pk_…) is not an API key.",
    "Use a project's API key on the server.",
    ("openai-sessions-wrong-kind-of-key",),
    owner=Party.CONFIGURATION,
)

API_KEY_RESTRICTED = _rule(
    "api-key-restricted",
    "The API key may not create ChatKit sessions",
    "The key is restricted and lacks the permission, or its role has no write access.",
    "Grant the key write access to ChatKit, or use an unrestricted key of the project.",
    ("openai-sessions-restricted-key",),
    owner=Party.CONFIGURATION,
)

REGION_NOT_SUPPORTED = _rule(
    "region-not-supported",
    "OpenAI does not serve the server's region",
    "The server's address is in a country that OpenAI does not support.",
    "Run the server in a supported country.",
    ("openai-sessions-region-blocked",),
    doc="https://platform.openai.com/docs/supported-countries",
    owner=Party.CONFIGURATION,
)

SESSIONS_API_FAILING = _rule(
    "sessions-api-failing",
    "OpenAI's sessions API has an internal error",
    "OpenAI's server failed. An unusual request can cause it too.",
    "Try again later; check the request, and https://status.openai.com.",
    ("openai-sessions-5xx",),
    doc="https://status.openai.com",
    owner=Party.API,
)

REFRESH_ENDPOINT_INVENTED = _rule(
    "refresh-endpoint-invented",
    "The server calls a refresh endpoint that does not exist",
    "Sessions cannot be refreshed; a new session replaces the old one.",
    "Create a new session whenever a new secret is needed.",
    ("openai-sessions-refresh-endpoint",),
    owner=Party.APP,
)

WRONG_API_PATH = _rule(
    "wrong-api-path",
    "The server calls an address that does not exist at OpenAI",
    "The path is mistyped, or the base URL contains a part of the path twice.",
    "POST to https://api.openai.com/v1/chatkit/sessions.",
    ("openai-wrong-endpoint-unknown-parameter",),
    owner=Party.APP,
)

SESSION_UNKNOWN = _rule(
    "session-unknown",
    "OpenAI does not know the session",
    "The session was created in another project, region or organisation, or the app returned the session's id "
    "instead of its secret.",
    "Use client_secret, and use one project for everything. If it persists, report the request id to OpenAI.",
    ("openai-session-not-found",),
    confidence=Confidence.LIKELY,
    owner=Party.APP,
)

QUOTA_EXCEEDED = _rule(
    "quota-exceeded",
    "The API key's quota or rate limit is used up",
    "OpenAI refuses requests of this project until the limit is reset or raised.",
    "Check the project's limits and billing.",
    (),
    doc="https://platform.openai.com/docs/guides/rate-limits",
    owner=Party.CONFIGURATION,
)

HOSTED_WORKFLOWS_ENDED = _rule(
    "hosted-workflows-ended",
    "OpenAI no longer runs this workflow",
    "Hosted workflows of Agent Builder end in 2026. ChatKit still works with a custom backend.",
    "Use your own ChatKit server: api: { url, domainKey }.",
    ("openai-agent-builder-shutdown",),
    confidence=Confidence.POSSIBLE,
    owner=Party.API,
)


RULES = (
    WORKFLOW_NOT_FOUND,
    USER_MISSING,
    WORKFLOW_PARAMETER_MISSING,
    WORKFLOW_NOT_AN_OBJECT,
    PARAMETER_UNKNOWN,
    BETA_HEADER_MISSING,
    API_KEY_NOT_SENT,
    API_KEY_INCORRECT,
    API_KEY_RESTRICTED,
    REGION_NOT_SUPPORTED,
    SESSIONS_API_FAILING,
    REFRESH_ENDPOINT_INVENTED,
    WRONG_API_PATH,
    SESSION_UNKNOWN,
    QUOTA_EXCEEDED,
    HOSTED_WORKFLOWS_ENDED,
    API_KEY_IN_BROWSER,
)
