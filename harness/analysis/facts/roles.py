"""The role of a request for ChatKit: the loader, the app's session endpoint, the domain check, the backend, or none.

In: exchanges. Out: statements about them. It knows addresses, and nothing of states.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from harness.analysis.facts.exchanges import Exchange
from harness.model.addresses import API, CONVERSATION, SESSIONS, VERIFY, names_a_session, split_url
from harness.model.addresses import is_loader as is_loader


def is_verification(exchange: Exchange) -> bool:
    """Whether it is the frame's question whether the page's domain is on the allowlist."""
    return exchange.path.startswith(VERIFY)


def is_conversation(exchange: Exchange) -> bool:
    """Whether it is a backend call of the frame in hosted mode."""
    return exchange.path == CONVERSATION


def is_frame_document(exchange: Exchange) -> bool:
    """Whether it is the document of an iframe."""
    return exchange.request.is_navigation and not exchange.request.is_top_frame


def is_page_document(exchange: Exchange) -> bool:
    """Whether it is the document of the page."""
    return exchange.request.is_navigation and exchange.request.is_top_frame


def is_session_request(exchange: Exchange, endpoint: str = "") -> bool:
    """Whether a request asks the app for a client secret: by the configured glob, else by method and name."""
    if endpoint:
        return fnmatchcase(exchange.url, endpoint) or fnmatchcase(exchange.url.partition("?")[0], endpoint)
    if exchange.request.resource_type not in ("fetch", "xhr"):
        return False
    if exchange.path.startswith(API):  # a page that has an API key of its own and asks OpenAI itself
        return exchange.path == SESSIONS
    return names_a_session(exchange.path, exchange.request.method)


def is_session_url(url: str, endpoint: str = "") -> bool:
    """Whether an address is one that a client secret is asked for at, for a request that was never made."""
    if endpoint:
        return fnmatchcase(url, endpoint) or fnmatchcase(url.partition("?")[0], endpoint)
    return names_a_session(split_url(url).path, "POST")


def has_secret(exchange: Exchange) -> bool:
    """Whether its answer held a client secret under a name, or in a shape, that is known."""
    is_own = exchange.path.startswith(API) and exchange.path != SESSIONS
    return exchange.body is not None and exchange.body.secret_key != "" and not is_own


def lacks_secret(exchange: Exchange) -> bool:
    """Whether its answer is known to hold no client secret: a refusal, or a body that was read and has none."""
    if exchange.failure or exchange.status >= 400:
        return True
    read = exchange.body
    is_known = read is not None and read.unread_reason in ("", "not text", "no body")
    return is_known and 200 <= exchange.status < 300 and not has_secret(exchange)
