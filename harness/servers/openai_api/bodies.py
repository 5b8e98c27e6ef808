"""Reads the JSON bodies of requests to the API."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from harness.servers.fields import Fields
from harness.servers.openai_api import errors


async def json_of(request: Request) -> Any:
    """Return the parsed body. Raises ApiError 400 when it is not JSON."""
    try:
        return await request.json()
    except ValueError as error:
        raise errors.not_json() from error


async def fields_of(request: Request) -> Fields:
    """Return the fields of the JSON object in the body. Raises ApiError 400 and FieldError."""
    body = await json_of(request)
    if not isinstance(body, dict):
        raise errors.not_json()
    return Fields(body)
