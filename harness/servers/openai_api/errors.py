"""The error answers of the OpenAI API: status, body and the headers that belong to one error only.

In: what is wrong. Out: an `ApiError` in the recorded wording. Not recorded for ChatKit, and taken from the same API's
other endpoints: the codes of limits, 405, 429, missing scopes, regional host names.
"""

from __future__ import annotations

import math
import secrets
from typing import Any

from harness.servers.fields import FieldError

KEYS_PAGE = "https://platform.openai.com/account/api-keys"
BETA_HEADER = "chatkit_beta=v1"
SHOWN_START, SHOWN_END = 8, 4


class ApiError(Exception):
    """An error answer of the API."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
        self.body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def common_headers(took_ms: int) -> dict[str, str]:
    """Return the headers that every answer of the API has, errors or not."""
    return {
        "openai-version": "2020-10-01",
        "openai-processing-ms": str(took_ms),
        "x-request-id": f"req_{secrets.token_hex(16)}",
        "x-envoy-upstream-service-time": str(took_ms),
        "x-openai-proxy-wasm": "v0.1",
        "cf-cache-status": "DYNAMIC",
        "cf-ray": f"{secrets.token_hex(8)}-TST",
        "server": "cloudflare",
        "x-content-type-options": "nosniff",
    }


def from_field(error: FieldError) -> ApiError:
    """Return the answer to a request with a wrong field."""
    return ApiError(400, str(error), param=error.param, code=error.code)


def unauthorized(message: str, *, code: str | None = None) -> ApiError:
    """Return a 401; it always names the scheme that is asked for."""
    return ApiError(401, message, code=code, headers={"www-authenticate": 'Bearer realm="OpenAI API"'})


def no_credentials() -> ApiError:
    """Return the answer without an authorization header, or with an empty one."""
    return unauthorized("Missing bearer or basic authentication in header")


def incorrect_key(key: str) -> ApiError:
    """Return the answer to an API key that does not exist."""
    message = f"Incorrect API key provided: {masked(key)}. You can find your API key at {KEYS_PAGE}."
    return unauthorized(message, code="invalid_api_key")


def masked(key: str) -> str:
    """Return a key with everything hidden but its start and end; what is too short to be one is shown."""
    hidden = len(key) - SHOWN_START - SHOWN_END
    return key if hidden <= 0 else f"{key[:SHOWN_START]}{'*' * hidden}{key[-SHOWN_END:]}"


def missing_scope(scope: str) -> ApiError:
    """Return the answer to a restricted key without the permission."""
    return unauthorized(
        f"You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the correct "
        "role in your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're using a restricted "
        "API key, that it has the necessary scopes.",
        code="missing_scope",
    )


def wrong_host(right_host: str) -> ApiError:
    """Return the answer on a host of another region."""
    return unauthorized(
        f"Attempted to access resource with incorrect regional hostname. Please make your request to {right_host}",
        code="incorrect_hostname",
    )


def region_not_enabled() -> ApiError:
    """Return the answer of the European host to a project without data residency."""
    return unauthorized("This endpoint is only accessible by projects with geography restrictions enabled.")


def missing_beta() -> ApiError:
    """Return the answer without the beta header."""
    return ApiError(
        400,
        "You must provide the 'OpenAI-Beta' header to access the Chatkit API. "
        f"Please try again by setting the header 'OpenAI-Beta: {BETA_HEADER}'.",
        code="invalid_beta",
    )


def not_found(kind: str, wanted: str) -> ApiError:
    """Return the answer for a "Workflow", "Chatkit Session" or "Thread" that the caller cannot see."""
    return ApiError(404, f"{kind} with id '{wanted}' not found.")


def malformed_id(param: str, value: str, prefix: str) -> ApiError:
    """Return the answer for an id of another kind."""
    message = f"Invalid '{param}': '{value}'. Expected an ID that begins with '{prefix}'."
    return ApiError(400, message, param=param, code="invalid_value")


def unknown_url(method: str, path: str) -> ApiError:
    """Return the answer for a path that does not exist."""
    return ApiError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> ApiError:
    """Return the answer for a path that exists, for other methods."""
    return ApiError(405, f"Invalid method for URL ({method} {path})")


def not_json() -> ApiError:
    """Return the answer for a body that is not JSON."""
    return ApiError(
        400,
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
    )


def rate_limited(what: str, *, limit: int, retry_after_s: float) -> ApiError:
    """Return the answer to one request too many within a minute."""
    seconds = max(1, math.ceil(retry_after_s))
    return ApiError(
        429,
        f"Rate limit reached for {what} on requests per min (RPM): Limit {limit}, Used {limit}, Requested 1. "
        f"Please try again in {seconds}s.",
        code="rate_limit_exceeded",
        kind="requests",
        headers={
            "retry-after": str(seconds),
            "x-ratelimit-limit-requests": str(limit),
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": f"{seconds}s",
        },
    )


def server_error(status: int = 500) -> ApiError:
    """Return a failure of the API itself."""
    return ApiError(status, "The server had an error while processing your request. Sorry about that!")


def of_status(status: int) -> ApiError:
    """Return an error that a fault wants, in the wording that belongs to its status."""
    if status >= 500:
        return server_error(status)
    match status:
        case 401:
            return incorrect_key("sk-test-revoked-key")
        case 403:
            return ApiError(
                403,
                "Country, region, or territory not supported",
                code="unsupported_country_region_territory",
                kind="request_forbidden",
            )
        case 429:
            return rate_limited("chatkit sessions", limit=10, retry_after_s=1)
        case _:
            return ApiError(status, "The request could not be processed.")
