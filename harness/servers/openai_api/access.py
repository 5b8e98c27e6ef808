"""Who asks: an app's backend with an API key, or a frame with a client secret, on one of three hosts.

In: a request's headers. Out: the project or the session that it acts for, or an `ApiError`. Which secret is valid where:

| secret                       | the frame goes to | accepted on |
|------------------------------|-------------------|-------------|
| version 00                   | `us.`             | `us.` and the plain host, which older frames use |
| version 01, locality US / EU | `us.` / `eu.`     | that host |
| version 01, locality null    | the plain host    | the plain host |

An API key is accepted on the host of its project's region, the plain one without a region. A request that
comes on any other name, such as an app's backend sends, says nothing about its host, and is not refused.
"""

from __future__ import annotations

from collections import deque

from starlette.requests import Request

from harness.servers.openai_api import errors
from harness.servers.openai_api.errors import BETA_HEADER, ApiError
from harness.servers.stack import Stack
from harness.servers.visit import ServedSession
from harness.servers.world import WorldProject

PLAIN_HOST, US_HOST, EU_HOST = "api.openai.com", "us.api.openai.com", "eu.api.openai.com"
HOSTS = (PLAIN_HOST, US_HOST, EU_HOST)
KEY_HOST = {"": PLAIN_HOST, "none": PLAIN_HOST, "US": US_HOST, "EU": EU_HOST}
SECRET_HOSTS = {"": (US_HOST, PLAIN_HOST), "none": (PLAIN_HOST,), "US": (US_HOST,), "EU": (EU_HOST,)}
CHATKIT_SCOPE = "api.chatkit.write"
MINUTE_S = 60.0


def project_of(request: Request, stack: Stack) -> WorldProject:
    """Return the project of the request's API key. Raises ApiError 401 without one that is valid on this host."""
    key = bearer_of(request)
    if not key:
        raise errors.no_credentials()
    project = stack.world.project_of_key(key)
    if project is None and stack.scenario.accepts_any_key:
        project = stack.world.organizations[0].projects[0]
    if project is None:
        raise errors.incorrect_key(key)
    # Answers to a known key name its owner.
    slug = stack.world.organization_of_project(project.id).slug
    request.scope["openai_owner"] = {"openai-organization": slug, "openai-project": project.id}
    host, right_host = _host(request), KEY_HOST[project.data_locality]
    if host and host != right_host:
        raise errors.region_not_enabled() if host == EU_HOST else errors.wrong_host(right_host)
    return project


def chatkit_project_of(request: Request, stack: Stack) -> WorldProject:
    """Return the project as `project_of` does, if its key may use ChatKit and the beta header is there."""
    project = project_of(request, stack)
    if stack.world.is_restricted(bearer_of(request)):
        raise errors.missing_scope(CHATKIT_SCOPE)
    if BETA_HEADER not in request.headers.get("openai-beta", ""):
        raise errors.missing_beta()
    return project


def session_of(request: Request, stack: Stack) -> ServedSession:
    """Return the session of the request's client secret. Raises ApiError 401 unless it is active and on its host.

    The wording for expired and cancelled secrets is not publicly known; the status is.
    """
    secret = bearer_of(request)
    if not secret:
        raise errors.no_credentials()
    session = stack.visit.sessions.get(secret)
    if session is None:
        raise _refused("The client secret is not valid.")
    if session.is_cancelled:
        raise _refused("The client secret is not valid: its session was cancelled.")
    if session.expires_at <= stack.now():
        raise _refused("The client secret has expired.")
    hosts = SECRET_HOSTS[session.data_locality]
    if _host(request) not in (None, *hosts):
        raise errors.wrong_host(hosts[0])
    return session


def count_request(session: ServedSession, stack: Stack) -> None:
    """Count a request of a session's frame. Raises ApiError 429 when its minute is full; that one is not counted."""
    now = stack.now()
    recent = stack.visit.requests_at.setdefault(session.id, deque())
    while recent and recent[0] <= now - MINUTE_S:
        recent.popleft()
    limit = session.max_requests_per_1_minute
    if len(recent) >= limit:
        raise errors.rate_limited(f"session {session.id}", limit=limit, retry_after_s=recent[0] + MINUTE_S - now)
    recent.append(now)


def bearer_of(request: Request) -> str:
    """Return the token of a bearer authorization, "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refused(message: str) -> ApiError:
    return errors.unauthorized(message, code="invalid_client_secret")


def _host(request: Request) -> str | None:
    """Return which of OpenAI's hosts the request names, None when it names another."""
    name = request.url.hostname or ""
    return name if name in HOSTS else None
