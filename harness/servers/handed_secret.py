"""What the app's session endpoint returns: the secret itself, or a value that is mistaken for it.

In: the client secret of a session, and the scenario's `secret`. Out: the JSON object of the answer.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from harness.servers.stack import Stack

EXPIRED_FOR_S = 3_600
OTHER_JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0ZXN0LXVzZXIifQ."  # says that it is no secret: unsigned, of a test user


def handed(session: dict[str, Any], stack: Stack) -> dict[str, Any]:
    """Return the body of the endpoint's answer."""
    secret, expires_at = session["client_secret"], session["expires_at"]
    match stack.scenario.secret:
        case "missing":
            return {"token": secret, "expires_at": expires_at}
        case "expired":
            expired = _expired(secret, stack)
            return {"client_secret": expired, "expires_at": int(stack.now()) - EXPIRED_FOR_S}
        case "cached":
            return {"client_secret": _cached(secret, stack), "expires_at": expires_at}
        case variant:
            return {"client_secret": _variant(variant, secret, session, stack), "expires_at": expires_at}


def _variant(variant: str, secret: str, session: dict[str, Any], stack: Stack) -> Any:
    match variant:
        case "quoted":
            return f'"{secret}"'
        case "session-id":
            return session["id"]
        case "api-key":
            return stack.app_key
        case "jwt":
            return OTHER_JWT
        case "version-99":
            head, _, tail = secret.rpartition("_")
            return f"{head}_99{tail[2:]}"
        case "null":
            return None
        case "object":
            return {"value": secret}
        case "foreign":  # in the right form, and no session of this API
            stack.visit.sessions.pop(secret, None)
            return secret
        case _:
            return secret


def _expired(secret: str, stack: Stack) -> str:
    """Return the secret as it is an hour after its end; the API refuses it too."""
    past = int(stack.now()) - EXPIRED_FOR_S
    session = stack.visit.sessions.pop(secret)
    claims = base64.b64encode(json.dumps({"expires_at": past}).encode()).decode()
    expired = f"{secret.rpartition('_')[0]}_00{claims}"
    stack.visit.sessions[expired] = replace(session, expires_at=past)
    return expired


def _cached(secret: str, stack: Stack) -> str:
    """Return the first secret that was handed out, whose session is over by now."""
    if not stack.visit.handed_out:
        stack.visit.handed_out.append(secret)
        stack.visit.sessions[secret] = replace(stack.visit.sessions[secret], is_cancelled=True)
    return stack.visit.handed_out[0]
