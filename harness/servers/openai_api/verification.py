"""Domain verification, asked by the frame: `verify_hosted` with a client secret, `verify` with a domain key.

In: the page's origin. Out: `{verified, dev_local_warning?}`. Only these two fields of the answer are publicly known.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from harness.servers.openai_api.access import session_of
from harness.servers.openai_api.bodies import fields_of
from harness.servers.stack import Stack, is_loopback_origin


async def verify_hosted(request: Request, stack: Stack) -> Response:
    """Answer whether the session's organisation allows the origin; body `{referrer_origin}`."""
    session = session_of(request, stack)
    origin = (await fields_of(request)).text("referrer_origin")
    return _verified(origin, stack, is_known=stack.world.is_domain_of_project(origin, session.project_id))


async def verify(request: Request, stack: Stack) -> Response:
    """Answer whether the domain key was issued for the origin; body `{referrer_origin, domain_key}`."""
    body = await fields_of(request)
    origin, key = body.text("referrer_origin"), body.text("domain_key")
    return _verified(origin, stack, is_known=stack.world.is_domain_of_key(origin, key))


def _verified(origin: str, stack: Stack, *, is_known: bool) -> Response:
    if not stack.scenario.domain_verified:
        return JSONResponse({"verified": False})
    if is_loopback_origin(origin) and not is_known:
        return JSONResponse({"verified": True, "dev_local_warning": "The domain is not on the allowlist."})
    return JSONResponse({"verified": is_known})
