"""The app's own session API: checks who asks, creates the ChatKit session upstream, passes on secret or error.

In: `POST /api/chatkit/session` and `GET /api/chatkit/workflows`. Out: `{client_secret, expires_at}` or
`{error, details?}`, with the status that upstream answered and its body in `details`, as OpenAI's starter app does. The
API key never leaves this module.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse

from harness.servers.handed_secret import handed
from harness.servers.stack import Stack, is_local, note

UPSTREAM_TIMEOUT_S = 10.0
MOCK_SECRET = "mock-client-secret-for-development-only"  # not in the real format: the app takes it, the SDK does not
MOCK_LIFETIME_S = 600
LOCAL_USER = "local-developer"


class RefusalError(Exception):
    """An answer other than 200: the status, a message for people, and what upstream said."""

    def __init__(self, status: int, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.details = details


def access_token_of(user: str, *, secret: str, lifetime_s: int = 3600) -> str:
    """Return a JWT as Supabase Auth issues it (HS256, `aud` "authenticated", `sub` the user's id)."""
    now = int(time.time())
    claims = {"sub": user, "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + lifetime_s}
    return jwt.encode(claims, secret, algorithm="HS256")


async def create_session(request: Request, stack: Stack) -> JSONResponse:
    """Answer `POST /api/chatkit/session`, body `{workflow_id | workflow: {id}, user?}`."""
    scenario = stack.scenario
    try:
        caller = _caller(request, stack)
        workflow_id, user = _wanted(await _json(request))
        session = await _upstream_session(stack, workflow_id, caller or user or LOCAL_USER)
    except RefusalError as refusal:
        if refusal.status == 404 and scenario.mock_mode and is_local(request, scenario.origin):
            return _mock_session(request, stack, str(refusal))
        body = {"error": str(refusal)} | ({"details": refusal.details} if refusal.details is not None else {})
        return JSONResponse(body, status_code=refusal.status)
    return JSONResponse(handed(session, stack))


async def new_secret(stack: Stack) -> str:
    """Return a secret for whoever comes and the app's first workflow. Raises RefusalError."""
    session = await _upstream_session(stack, stack.world.workflows_of_key(stack.app_key)[0].id, LOCAL_USER)
    return str(session["client_secret"])


async def wrong_method(_request: Request) -> JSONResponse:
    """Answer any other method on the session's path."""
    return JSONResponse({"error": "Method Not Allowed"}, status_code=405, headers={"allow": "POST"})


async def find_workflows(request: Request, stack: Stack) -> JSONResponse:
    """Answer `GET /api/chatkit/workflows?name=…` with `{data: [{id, name}]}`, by part of the name in any case."""
    try:
        _caller(request, stack)
    except RefusalError as refusal:
        return JSONResponse({"error": str(refusal)}, status_code=refusal.status)
    name = request.query_params.get("name", "").casefold()
    found = [w for w in stack.world.workflows_of_key(_api_key(stack)) if name in w.name.casefold()]
    return JSONResponse({"data": [{"id": workflow.id, "name": workflow.name} for workflow in found]})


def _caller(request: Request, stack: Stack) -> str:
    """Return the user's id, "" when the check is bypassed. Raises RefusalError 401 without a valid token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token and stack.scenario.session_auth == "bypass" and is_local(request, stack.scenario.origin):
        return ""
    if scheme.lower() != "bearer" or not token:
        raise RefusalError(401, "Missing bearer token. Sign in first.")
    try:
        claims = jwt.decode(
            token,
            stack.world.app.jwt_secret,
            algorithms=["HS256"],
            audience="authenticated",
            options={"require": ["exp", "sub", "aud"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise RefusalError(401, "The access token has expired. Sign in again.") from error
    except jwt.InvalidTokenError as error:
        raise RefusalError(401, f"The access token is not valid: {error}.") from error
    return str(claims["sub"])


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise RefusalError(400, "The body must be JSON.") from error
    if not isinstance(body, dict):
        raise RefusalError(400, "The body must be a JSON object.")
    return body


def _wanted(body: dict[str, Any]) -> tuple[str, str]:
    """Return workflow id and user ("" when none is named) of the request's body."""
    nested = body.get("workflow")
    in_object = nested.get("id") if isinstance(nested, dict) else None
    workflow_id = in_object or body.get("workflowId") or body.get("workflow_id")
    if not isinstance(workflow_id, str):
        raise RefusalError(400, "Missing workflow id")
    user = body.get("user", "")
    if not isinstance(user, str):
        raise RefusalError(400, "The user must be a string.")
    return workflow_id, user


def _api_key(stack: Stack) -> str:
    return stack.app_key if stack.scenario.workflow_visible else stack.world.app.foreign_api_key


async def _upstream_session(stack: Stack, workflow_id: str, user: str) -> dict[str, Any]:
    """Return the session object of the OpenAI API. Raises RefusalError with the status that the app passes on."""
    body: dict[str, Any] = {"workflow": {"id": workflow_id}}
    if stack.scenario.send_user:
        body["user"] = user
    headers = {"Authorization": f"Bearer {_api_key(stack)}", "OpenAI-Beta": "chatkit_beta=v1"}
    try:
        # Plain http to our own loopback server: no proxy, and no certificates to load.
        async with httpx.AsyncClient(timeout=UPSTREAM_TIMEOUT_S, verify=False, trust_env=False) as client:
            response = await client.post(f"{stack.api_url}/v1/chatkit/sessions", json=body, headers=headers)
    except httpx.HTTPError as error:
        raise RefusalError(502, f"The ChatKit API cannot be reached: {error}.") from error
    return _session_of(response)


def _session_of(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise RefusalError(502, f"The ChatKit API answered {response.status_code} without JSON.") from error
    if not response.is_success:
        message = _message_of(answer) or f"The ChatKit API answered {response.status_code}."
        raise RefusalError(response.status_code if response.is_error else 502, message, answer)
    if not isinstance(answer, dict) or not isinstance(answer.get("client_secret"), str):
        raise RefusalError(502, "The ChatKit API answered without a client secret.")
    return answer


def _message_of(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def _mock_session(request: Request, stack: Stack, reason: str) -> JSONResponse:
    note(request, f"MOCK SECRET ISSUED, no widget can use it: {reason}")
    body = {"client_secret": MOCK_SECRET, "expires_at": int(stack.now()) + MOCK_LIFETIME_S, "_mock": True}
    return JSONResponse(body, headers={"x-chatkit-mock": "true"})
