"""What an address is to ChatKit: the loader, the frame, the app's session endpoint, OpenAI's API, telemetry.

In: URLs, paths, methods. Out: statements about them. It knows nothing of answers, and nothing of the embedded servers.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from itertools import pairwise
from urllib.parse import SplitResult, urlsplit

API = "/v1/chatkit/"
CONVERSATION = f"{API}conversation"
VERIFY = f"{API}domain_keys/verify"
SESSIONS = f"{API}sessions"
SENTINEL = "/backend-api/sentinel/"
ASSETS = "/assets/ck1/"
FRAME_FILE = re.compile(r"index-[\w-]+\.html")  # as a loader names it

# Hosts, with all below them, whose failures never keep a widget from mounting.
TELEMETRY_HOSTS = ("browser-intake-datadoghq.com", "chatgpt.com", "statsig.com", "statsigapi.net", "featuregates.org",
                   "mixpanel.com", "segment.com", "segment.io", "google-analytics.com", "googletagmanager.com", "sentry.io",
                   "logrocket.com", "logrocket.io", "lr-ingest.io")  # fmt: skip

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
CHATKIT = re.compile(r"chat[-_]?kit", re.IGNORECASE)
SESSION_WORDS = frozenset({"session", "sessions", "secret", "start", "refresh", "token"})


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL; none of one that is not well-formed."""
    try:
        return urlsplit(url)
    except ValueError:  # an unclosed bracket of an IPv6 host
        return SplitResult("", "", "", "", "")


def server_of(url: str) -> tuple[str, int]:
    """Return host and port that a URL is asked at, with the port that its scheme has by itself; none of one that is not well-formed."""
    parts = split_url(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", port or (80 if parts.scheme in ("http", "ws") else 443)


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, by name or by address."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def is_loader(url: str) -> bool:
    """Whether a script URL is the ChatKit loader: the real one's path, wherever it is served from."""
    return split_url(url).path.endswith("/chatkit.js")


def is_telemetry(url: str) -> bool:
    """Whether the host is one that only measures."""
    host = split_url(url).hostname or ""
    return any(host == name or host.endswith(f".{name}") for name in TELEMETRY_HOSTS)


def names_a_session(path: str, method: str) -> bool:
    """Whether a path is named as session endpoints are: /api/chatkit/session, /chatkit-start, /api/clientSecret."""
    plain = CHATKIT.sub("-chatkit-", path)
    segments = [[word.lower() for word in WORDS.findall(segment)] for segment in plain.split("/") if segment]
    words = [word for segment in segments for word in segment]
    if "chatkit" in words and SESSION_WORDS.intersection(words[words.index("chatkit") :]):
        return True
    if any(pair == ("client", "secret") for pair in pairwise(words)):
        return True
    return method == "POST" and bool(segments) and segments[-1] == ["create", "session"]
