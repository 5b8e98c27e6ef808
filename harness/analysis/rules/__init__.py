"""All rules, listed layer by layer."""

from harness.analysis.rules import (
    app,
    backend,
    custom,
    domain,
    element,
    frame,
    handshake,
    options,
    page,
    script,
    script_delivery,
    secret,
    session,
    session_delivery,
    sight,
    streams,
    upstream,
)
from harness.analysis.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *page.RULES,
    *app.RULES,
    *script.RULES,
    *script_delivery.RULES,
    *element.RULES,
    *options.RULES,
    *session.RULES,
    *session_delivery.RULES,
    *secret.RULES,
    *upstream.RULES,
    *frame.RULES,
    *handshake.RULES,
    *domain.RULES,
    *backend.RULES,
    *custom.RULES,
    *streams.RULES,
    *sight.RULES,
)
BY_ID = {rule.id: rule for rule in RULES}
