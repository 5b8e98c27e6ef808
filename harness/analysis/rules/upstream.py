"""What OpenAI's sessions API has against a request, in its own words, as the app's endpoint passes them on.

In: facts. Out: findings of this layer. The words are the API's; an app that swallows them leaves nothing to find here.
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
    """Whether an error is in the words of OpenAI's API."""
    return ANY.search(text) is not None


def _named(text: str) -> str:
    """The first rule whose words these are; "" when nobody's."""
    return next((name for name, words in WORDS.items() if re.search(words, text, re.IGNORECASE)), "")


def _said(name: str, facts: Facts) -> Iterator[Found]:
    """The page's last request for a secret was refused in these words, or the frame's page says so."""
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
    """The page itself asks OpenAI for a session."""
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
    cause="Whoever opens the page can read the key. OpenAI's sessions API is for servers.",
    remedy="Revoke the key, and make sessions on a server.",
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
    "The key belongs to another project or organisation than the workflow: a project's key sees its own workflows only. Else the "
    "workflow was deleted, never published, or its id is mistyped; or another key than the intended one is in force on the server.",
    "Make the key in the workflow's project; compare the header openai-project of the answer; look for a variable of the shell "
    "that takes precedence over the file.",
    ("openai-sessions-workflow-404", "session-app-key-shadowed"),
    owner=Party.CONFIGURATION,
)

USER_MISSING = _rule(
    "user-missing",
    "The session request names no user",
    "OpenAI wants a top-level `user`; the app leaves it out, or nests it.",
    "Send user: '<a stable id>' at the top level of the request.",
    ("openai-sessions-missing-user",),
    owner=Party.APP,
)

WORKFLOW_PARAMETER_MISSING = _rule(
    "workflow-parameter-missing",
    "The session request names no workflow",
    "`workflow` is left out, or sent under another name such as workflow_id.",
    "Send workflow: { id: 'wf_…' }.",
    ("openai-sessions-missing-workflow",),
    owner=Party.APP,
)

WORKFLOW_NOT_AN_OBJECT = _rule(
    "workflow-not-an-object",
    "The workflow is sent as a text",
    "OpenAI wants an object with the id in it.",
    "Send workflow: { id: 'wf_…' }.",
    ("openai-sessions-workflow-type",),
    owner=Party.APP,
)

PARAMETER_UNKNOWN = _rule(
    "parameter-unknown",
    "The request holds a field that this endpoint does not know",
    "A misspelt field, or the request went to another endpoint than the one for sessions.",
    "POST to https://api.openai.com/v1/chatkit/sessions with documented fields only.",
    ("openai-wrong-endpoint-unknown-parameter",),
    owner=Party.APP,
)

BETA_HEADER_MISSING = _rule(
    "beta-header-missing",
    "The session request lacks the beta header",
    "ChatKit's API is in beta and asks for a header that says so.",
    "Send OpenAI-Beta: chatkit_beta=v1.",
    ("openai-sessions-missing-beta",),
    owner=Party.APP,
)

API_KEY_NOT_SENT = _rule(
    "api-key-not-sent",
    "The server asks OpenAI without an API key",
    "The authorization header is missing or empty: the variable is not set where the server runs.",
    "Set OPENAI_API_KEY there and restart.",
    ("openai-sessions-no-auth",),
    owner=Party.CONFIGURATION,
)

API_KEY_INCORRECT = _rule(
    "api-key-incorrect",
    "OpenAI does not know the API key",
    "The key is revoked, mistyped, or of another kind: a domain key (domain_pk_…) is no API key.",
    "Use a project's API key on the server.",
    ("openai-sessions-wrong-kind-of-key",),
    owner=Party.CONFIGURATION,
)

API_KEY_RESTRICTED = _rule(
    "api-key-restricted",
    "The API key may not make ChatKit sessions",
    "A restricted key without the permission, or a role without write access.",
    "Grant the key write access to ChatKit, or use an unrestricted key of the project.",
    ("openai-sessions-restricted-key",),
    owner=Party.CONFIGURATION,
)

REGION_NOT_SUPPORTED = _rule(
    "region-not-supported",
    "OpenAI does not serve the server's region",
    "The server's address is in a country that OpenAI does not support.",
    "Run the server elsewhere.",
    ("openai-sessions-region-blocked",),
    doc="https://platform.openai.com/docs/supported-countries",
    owner=Party.CONFIGURATION,
)

SESSIONS_API_FAILING = _rule(
    "sessions-api-failing",
    "OpenAI's sessions API fails",
    "A failure on OpenAI's side; a request of an unusual shape can cause it too.",
    "Try again later; check the request, and https://status.openai.com.",
    ("openai-sessions-5xx",),
    doc="https://status.openai.com",
    owner=Party.API,
)

REFRESH_ENDPOINT_INVENTED = _rule(
    "refresh-endpoint-invented",
    "The server calls a refresh endpoint that does not exist",
    "Sessions cannot be refreshed; a new one takes the place of the old one.",
    "Create a new session whenever a new secret is wanted.",
    ("openai-sessions-refresh-endpoint",),
    owner=Party.APP,
)

WRONG_API_PATH = _rule(
    "wrong-api-path",
    "The server calls an address that OpenAI does not have",
    "The path is mistyped, or the base address has a part too many.",
    "POST to https://api.openai.com/v1/chatkit/sessions.",
    ("openai-wrong-endpoint-unknown-parameter",),
    owner=Party.APP,
)

SESSION_UNKNOWN = _rule(
    "session-unknown",
    "OpenAI does not know the session",
    "Another project, region or organisation than the one that made it, or the session's id in place of its secret.",
    "Use client_secret, and one project throughout; report it with the request id.",
    ("openai-session-not-found",),
    confidence=Confidence.LIKELY,
    owner=Party.APP,
)

QUOTA_EXCEEDED = _rule(
    "quota-exceeded",
    "The API key's quota or rate limit is used up",
    "OpenAI refuses requests of this project for now.",
    "Look at the project's limits and billing.",
    (),
    doc="https://platform.openai.com/docs/guides/rate-limits",
    owner=Party.CONFIGURATION,
)

HOSTED_WORKFLOWS_ENDED = _rule(
    "hosted-workflows-ended",
    "OpenAI no longer runs this workflow",
    "Hosted workflows of Agent Builder end in 2026; ChatKit goes on with an own backend.",
    "Move to a ChatKit server of your own: api: { url, domainKey }.",
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
