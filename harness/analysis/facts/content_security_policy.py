"""What a page's security headers allow: the parts of Content-Security-Policy that concern ChatKit's requests.

In: policies as they were sent, and the page's address. Out: for a use and an address, the directive that forbids it. Source:
https://www.w3.org/TR/CSP3/, sections 6.7.2 (matching) and 6.1 (which directive falls back to which).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.model.addresses import split_url

# Which directive is asked when the first is not there.
FALLBACKS = {
    "script-src-elem": ("script-src-elem", "script-src", "default-src"),
    "frame-src": ("frame-src", "child-src", "default-src"),
    "connect-src": ("connect-src", "default-src"),
    "style-src-elem": ("style-src-elem", "style-src", "default-src"),
}
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A directive that does not allow something."""

    directive: str
    sources: tuple[str, ...]
    is_open_question: bool  # a nonce or a hash, which cannot be seen from the header, may still allow it


def policies_of(values: Iterable[str]) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Return the policies of header values, each as its directives; the first of a name counts."""
    policies = []
    for value in values:
        for text in value.split(","):
            directives: dict[str, tuple[str, ...]] = {}
            for part in text.split(";"):
                words = part.split()
                if words:
                    directives.setdefault(words[0].lower(), tuple(words[1:]))
            if directives:
                policies.append(directives)
    return tuple(policies)


def refusal_of(policies: Iterable[dict[str, tuple[str, ...]]], use: str, url: str, page_url: str) -> Refusal | None:
    """Return the first directive that does not allow an address for a use; None when all policies allow it."""
    for policy in policies:
        directive = next((name for name in FALLBACKS[use] if name in policy), "")
        if directive and not _allows(policy[directive], url, page_url):
            sources = policy[directive]
            can_be_named = use == "script-src-elem" and any(s.startswith(("'nonce-", "'sha")) for s in sources)
            is_trusted_on = use == "script-src-elem" and "'strict-dynamic'" in sources
            return Refusal(directive=directive, sources=sources, is_open_question=can_be_named or is_trusted_on)
    return None


def inline_style_refusal_of(policies: Iterable[dict[str, tuple[str, ...]]]) -> Refusal | None:
    """Return the first directive that forbids an inline `<style>`, as the element puts one into its shadow root."""
    for policy in policies:
        directive = next((name for name in FALLBACKS["style-src-elem"] if name in policy), "")
        sources = policy.get(directive, ())
        has_named = any(source.startswith(("'nonce-", "'sha")) for source in sources)  # then 'unsafe-inline' is void
        if directive and ("'unsafe-inline'" not in sources or has_named):
            return Refusal(directive=directive, sources=sources, is_open_question=False)
    return None


def _allows(sources: tuple[str, ...], url: str, page_url: str) -> bool:
    if "'strict-dynamic'" in sources:
        return False  # host names are void then
    return any(_matches(source, url, page_url) for source in sources)


def _matches(source: str, url: str, page_url: str) -> bool:
    wanted, page = split_url(url), split_url(page_url)
    if source == "*":
        return wanted.scheme in ("http", "https", "ws", "wss") or wanted.scheme == page.scheme
    if source.lower() == "'self'":
        return _origin(url) == _origin(page_url)
    if source.startswith("'"):
        return False
    if source.endswith(":"):
        return _fits_scheme(source[:-1].lower(), wanted.scheme)
    scheme, separator, rest = source.partition("://")
    if not separator:
        scheme, rest = page.scheme, source
    host_port, slash, path = rest.partition("/")
    host, _, port = host_port.partition(":")
    return (
        _fits_scheme(scheme.lower(), wanted.scheme)
        and _fits_host(host.lower(), (wanted.hostname or "").lower())
        and _fits_port(port, wanted.port, wanted.scheme)
        and (not slash or not path or _fits_path(f"/{path}", wanted.path))
    )


def _fits_scheme(allowed: str, scheme: str) -> bool:
    return allowed == scheme or (allowed, scheme) == ("http", "https")


def _fits_host(allowed: str, host: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else allowed in (host, "*")


def _fits_port(allowed: str, port: int | None, scheme: str) -> bool:
    if allowed in ("", "*"):
        return allowed == "*" or port in (None, PORTS.get(scheme))
    return str(port or PORTS.get(scheme)) == allowed


def _fits_path(allowed: str, path: str) -> bool:
    return path.startswith(allowed) if allowed.endswith("/") else path == allowed


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = split_url(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
