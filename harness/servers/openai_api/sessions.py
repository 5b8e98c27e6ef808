"""Sessions: `POST /v1/chatkit/sessions` and `…/{session_id}/cancel`.

In: the create request with its documented fields, limits and defaults. Out: a session whose client secret is in the
real format. A field that is not documented is refused, as the same API refuses it elsewhere.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.servers.fields import FieldError, Fields, wrong_type
from harness.servers.openai_api import errors
from harness.servers.openai_api.access import chatkit_project_of
from harness.servers.openai_api.bodies import fields_of
from harness.servers.stack import Stack
from harness.servers.visit import Configuration, ServedSession
from harness.servers.world import WorldProject

LIFETIME_S = 600
REQUESTS_PER_MINUTE = 10
MAX_STATE_VARIABLES = 64
MAX_STATE_NAME_LENGTH = 64
ID_PREFIX = "cksess"


async def create_session(request: Request, stack: Stack) -> Response:
    """Answer a create request. Raises ApiError and FieldError."""
    project = chatkit_project_of(request, stack)
    session = session_from(await fields_of(request), project, now=int(stack.now()))
    is_known = any(known.id == session.workflow_id for known in project.workflows)
    if not is_known and not stack.scenario.accepts_any_key:
        raise errors.not_found("Workflow", session.workflow_id)
    secret = new_secret(session)
    stack.visit.sessions[secret] = session
    return JSONResponse(session_json(session, secret=secret, now=stack.now()))


async def cancel_session(request: Request, stack: Stack) -> Response:
    """Answer a cancel request: the session as it is now, without its secret. Raises ApiError."""
    project = chatkit_project_of(request, stack)
    wanted: str = request.path_params["session_id"]
    if not wanted.startswith(f"{ID_PREFIX}_"):
        raise errors.malformed_id("session_id", wanted, ID_PREFIX)
    for secret, session in stack.visit.sessions.items():
        if session.id == wanted and session.project_id == project.id:
            cancelled = replace(session, is_cancelled=True)
            stack.visit.sessions[secret] = cancelled
            return JSONResponse(session_json(cancelled, secret="", now=stack.now()))
    raise errors.not_found("Chatkit Session", wanted)


def session_from(body: Fields, project: WorldProject, *, now: int) -> ServedSession:
    """Return the session that a create request asks for, with the defaults. Raises FieldError for what is wrong."""
    body.only("user", "workflow", "expires_after", "rate_limits", "chatkit_configuration")
    workflow = body.table("workflow")
    workflow.only("id", "version", "state_variables", "tracing")
    workflow_id = workflow.text("id")
    user = body.text("user", at_least=1)
    tracing = workflow.table_or_empty("tracing")
    tracing.only("enabled")
    rates = body.table_or_empty("rate_limits")
    rates.only("max_requests_per_1_minute")
    return ServedSession(
        id=f"{ID_PREFIX}_{secrets.token_hex(24)}",
        project_id=project.id,
        data_locality=project.data_locality,
        workflow_id=workflow_id,
        workflow_version=workflow.text_or_none("version"),  # not looked up: a wrong one fails at the first message
        state_variables=_state_variables(workflow),
        is_traced=tracing.flag_or("enabled", True),
        user=user,
        created_at=now,
        expires_at=now + _lifetime_s(body),
        max_requests_per_1_minute=rates.integer_or("max_requests_per_1_minute", REQUESTS_PER_MINUTE, at_least=1),
        configuration=_configuration(body.table_or_empty("chatkit_configuration")),
    )


def new_secret(session: ServedSession) -> str:
    """Return a client secret: version 00, or 01 with the locality when the project has one."""
    claims: dict[str, Any] = {"expires_at": session.expires_at}
    version = "00"
    if session.data_locality:
        version = "01"
        claims["data_locality"] = None if session.data_locality == "none" else session.data_locality
    return f"ek_{secrets.token_hex(24)}_{version}{base64.b64encode(json.dumps(claims).encode()).decode()}"


def session_json(session: ServedSession, *, secret: str, now: float) -> dict[str, Any]:
    """Return a session as the API shows it."""
    configuration = session.configuration
    return {
        "id": session.id,
        "object": "chatkit.session",
        "status": "cancelled" if session.is_cancelled else "expired" if session.expires_at <= now else "active",
        "client_secret": secret,
        "expires_at": session.expires_at,
        "user": session.user,
        "workflow": {
            "id": session.workflow_id,
            "version": session.workflow_version,
            "state_variables": session.state_variables,
            "tracing": {"enabled": session.is_traced},
        },
        "rate_limits": {"max_requests_per_1_minute": session.max_requests_per_1_minute},
        "max_requests_per_1_minute": session.max_requests_per_1_minute,
        "chatkit_configuration": {
            "automatic_thread_titling": {"enabled": configuration.has_titles},
            "file_upload": {
                "enabled": configuration.has_file_upload,
                "max_file_size": configuration.max_file_size_mb,
                "max_files": configuration.max_files,
            },
            "history": {"enabled": configuration.has_history, "recent_threads": configuration.recent_threads},
        },
    }


def _lifetime_s(body: Fields) -> int:
    if not body.has("expires_after"):
        return LIFETIME_S
    expiry = body.table("expires_after")
    expiry.only("anchor", "seconds")
    expiry.text("anchor", one_of=("created_at",))
    return expiry.integer("seconds", at_least=1, at_most=LIFETIME_S)


def _configuration(body: Fields) -> Configuration:
    body.only("automatic_thread_titling", "file_upload", "history")
    titling, upload, history = (body.table_or_empty(n) for n in ("automatic_thread_titling", "file_upload", "history"))
    titling.only("enabled")
    upload.only("enabled", "max_file_size", "max_files")
    history.only("enabled", "recent_threads")
    default = Configuration()
    return Configuration(
        has_titles=titling.flag_or("enabled", default.has_titles),
        has_file_upload=upload.flag_or("enabled", default.has_file_upload),
        max_file_size_mb=upload.integer_or(
            "max_file_size", default.max_file_size_mb, at_least=1, at_most=default.max_file_size_mb
        ),
        max_files=upload.integer_or("max_files", default.max_files, at_least=1),
        has_history=history.flag_or("enabled", default.has_history),
        recent_threads=history.integer_or_none("recent_threads", at_least=1),
    )


def _state_variables(workflow: Fields) -> dict[str, Any] | None:
    if not workflow.has("state_variables"):
        return None
    variables, path = workflow.mapping("state_variables"), workflow.param("state_variables")
    if len(variables) > MAX_STATE_VARIABLES:
        raise FieldError(
            f"Invalid '{path}': too many properties. Expected an object with at most {MAX_STATE_VARIABLES} properties, "
            f"but got an object with {len(variables)} properties instead.",
            param=path,
            code="object_above_max_properties",
        )
    for name, value in variables.items():
        if len(name) > MAX_STATE_NAME_LENGTH:
            raise FieldError(
                f"Invalid property name in '{path}': '{name}' is too long. Expected a string with maximum length "
                f"{MAX_STATE_NAME_LENGTH}, but got a string with length {len(name)} instead.",
                param=f"{path}.{name}",
                code="property_name_above_max_length",
            )
        if not isinstance(value, str | int | float):
            raise wrong_type(f"{path}.{name}", "one of a string, integer, boolean, or number", value)
    return variables
