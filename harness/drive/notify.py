"""Sends notifications over HTTP: to a webhook, to a collector, and to a GitHub issue that is opened, commented and closed.

In: texts that are ready. Out: the error, or "". A receiver that refuses or hangs only costs its timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.config.authorities import trusted
from harness.model.waiting import within

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """A repository, and the right to write its issues."""

    api: str
    repo: str
    token: str = field(repr=False)


def post_json(url: str, message: dict[str, Any], *, timeout_s: float, headers: Mapping[str, str] | None = None) -> str:
    """Post a message and return "", or what went wrong. The address may be a secret, and is not in what is returned."""

    def post() -> str:
        with httpx.Client(timeout=timeout_s, headers=headers, verify=trusted()) as client:
            response = client.post(url, json=message)
        return "" if response.is_success else f"it answered {response.status_code}"

    return _limited(post, timeout_s)


def open_issue(
    github: GitHub, *, label: str, marker: str, issue: dict[str, Any], comment: str, timeout_s: float
) -> str:
    """Comment on the open issue that holds the marker, or open one; return "" or what went wrong."""

    def tell(client: httpx.Client) -> None:
        number = _open_issue_with(client, github, label, marker)
        if number is None:
            _checked(client.post(f"/repos/{github.repo}/issues", json=issue))
        else:
            _checked(client.post(f"/repos/{github.repo}/issues/{number}/comments", json={"body": comment}))

    return _with_github(github, tell, timeout_s)


def close_issue(github: GitHub, *, label: str, marker: str, comment: str, timeout_s: float) -> str:
    """Comment on the open issue that holds the marker and close it, if there is one; return "" or what went wrong."""

    def tell(client: httpx.Client) -> None:
        number = _open_issue_with(client, github, label, marker)
        if number is not None:
            where = f"/repos/{github.repo}/issues/{number}"
            _checked(client.post(f"{where}/comments", json={"body": comment}))
            _checked(client.patch(where, json={"state": "closed", "state_reason": "completed"}))

    return _with_github(github, tell, timeout_s)


def _open_issue_with(client: httpx.Client, github: GitHub, label: str, marker: str) -> int | None:
    params = {"state": "open", "labels": label, "per_page": str(PAGE_SIZE)}
    found = _checked(client.get(f"/repos/{github.repo}/issues", params=params)).json()
    for item in found if isinstance(found, list) else []:
        if "pull_request" not in item and marker in (item.get("body") or ""):
            return int(item["number"])
    return None


def _with_github(github: GitHub, tell: Callable[[httpx.Client], None], timeout_s: float) -> str:
    headers = {
        "authorization": f"Bearer {github.token}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }

    def run() -> str:
        with httpx.Client(
            base_url=github.api.rstrip("/"), headers=headers, timeout=timeout_s, verify=trusted()
        ) as client:
            tell(client)
        return ""

    return _limited(run, timeout_s)


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        raise httpx.HTTPStatusError(
            f"{response.request.method} {response.request.url.path} answered {response.status_code}",
            request=response.request,
            response=response,
        )
    return response


def _limited(work: Callable[[], str], timeout_s: float) -> str:
    """Return what the work returns, or how it failed, within the time limit; its words, not the address."""

    def guarded() -> str:
        try:
            return work()
        except httpx.HTTPStatusError as error:
            return str(error)
        except httpx.TimeoutException:
            return f"no answer within {timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
            return f"it cannot be reached ({type(error).__name__})"

    told = within(timeout_s * 2, guarded)
    return f"no answer within {timeout_s * 2:g} s" if told is None else told
