"""Whose fault a finding is: ours, our configuration's, OpenAI's API's, the CDN's, the network's.

In: the name of a rule and its layer. Out: a `Party`. The layer decides, and where it cannot, the rule is named here.
"""

from __future__ import annotations

from enum import StrEnum

from harness.analysis.rules.rule import Layer


class Party(StrEnum):
    """Who has to act."""

    APP = "our app"
    CONFIGURATION = "our configuration"
    API = "OpenAI's API"
    CDN = "the CDN"
    NETWORK = "the network"
    NOBODY = "nobody yet"  # nothing explains it


OF_LAYER: dict[str, Party] = {
    Layer.NETWORK: Party.NETWORK,
    Layer.PAGE: Party.APP,
    Layer.SCRIPT: Party.APP,
    Layer.ELEMENT: Party.APP,
    Layer.OPTIONS: Party.APP,
    Layer.SESSION: Party.APP,
    Layer.UPSTREAM: Party.CONFIGURATION,
    Layer.FRAME: Party.CDN,
    Layer.HANDSHAKE: Party.APP,
    Layer.DOMAIN: Party.CONFIGURATION,
    Layer.BACKEND: Party.APP,
    Layer.SIGHT: Party.APP,
    Layer.CONSOLE: Party.APP,
}
OF_RULE: dict[str, Party] = {
    "certificate-untrusted": Party.CONFIGURATION,
    "api-key-missing-in-app": Party.CONFIGURATION,
    "workflow-missing-in-app": Party.CONFIGURATION,
    "workflow-id-missing": Party.CONFIGURATION,
    "domain-key-placeholder": Party.CONFIGURATION,
    # the app's requests
    "user-missing": Party.APP,
    "workflow-parameter-missing": Party.APP,
    "workflow-not-an-object": Party.APP,
    "parameter-unknown": Party.APP,
    "beta-header-missing": Party.APP,
    "refresh-endpoint-invented": Party.APP,
    "wrong-api-path": Party.APP,
    "session-unknown": Party.APP,
    "api-key-in-browser": Party.APP,
    "verification-without-secret": Party.APP,
    "widget-removed": Party.APP,
    "frame-beside-copied-loader": Party.APP,
    "frame-blocked-by-csp": Party.APP,
    "frame-blocked-by-coep": Party.APP,
    "frame-address-stripped": Party.APP,
    "page-not-secure": Party.APP,
    # the CDN
    "loader-challenged": Party.CDN,
    "loader-refused": Party.CDN,
    "loader-unreachable": Party.CDN,
    "loader-never-arrives": Party.CDN,
    "loader-answered-by-page": Party.CDN,
    # OpenAI's API
    "sessions-api-failing": Party.API,
    "hosted-workflows-ended": Party.API,
    "api-unreachable": Party.API,
    "api-unanswered": Party.API,
    "api-answer-unknown": Party.API,
    "session-left-behind": Party.API,
    "verification-failing": Party.API,
    "verification-timed-out": Party.API,
    "verification-unreachable": Party.API,
    "backend-failing": Party.API,
    "backend-unreachable": Party.API,
    "backend-refuses": Party.API,
    "backend-error-behind-cors": Party.API,
    "backend-unanswered": Party.API,
    "sentinel-blocked": Party.NETWORK,
    "sentinel-unanswered": Party.NETWORK,
    "reply-failed": Party.API,
    # between the machines
    "api-answered-by-page": Party.NETWORK,
    "hop-slow": Party.NETWORK,
    "loader-blocked-by-client": Party.NETWORK,
    "frame-blocked-by-client": Party.NETWORK,
    "session-blocked-by-client": Party.NETWORK,
    "frame-storage-refused": Party.NETWORK,
    "stream-dropped": Party.NETWORK,
    "page-crashed": Party.NETWORK,
    "unexplained": Party.NOBODY,
    "rule-crashed": Party.NOBODY,
}


def party_of(rule: str, layer: str) -> Party:
    """Return who has to act on a finding."""
    return OF_RULE.get(rule) or OF_LAYER.get(layer, Party.NOBODY)
