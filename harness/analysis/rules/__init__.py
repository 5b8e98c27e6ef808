"""Every failing state that has a name, written out layer by layer."""

from harness.analysis.rules import (
    backend,
    domain,
    element,
    frame,
    options,
    page,
    script,
    secret,
    session,
    sight,
    upstream,
)
from harness.analysis.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *page.RULES,
    *script.RULES,
    *element.RULES,
    *options.RULES,
    *session.RULES,
    *secret.RULES,
    *upstream.RULES,
    *frame.RULES,
    *domain.RULES,
    *backend.RULES,
    *sight.RULES,
)
BY_ID = {rule.id: rule for rule in RULES}
