"""Facts about ChatKit as rows of tables, and one assertion that says which of them do not hold.

In: what a visit shows. Out: an AssertionError that names each fact's section in the protocol notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from conformance.host import Host


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: where it is written, what it says, how it is seen, and what is seen when it holds."""

    section: str
    says: str
    seen: str | Callable[[Host], object]  # an expression in the page, or a function of the visit
    expected: object = True

    def complaint(self, host: Host) -> str:
        """Return what is wrong, "" when the fact holds."""
        found = host.evaluate(self.seen) if isinstance(self.seen, str) else self.seen(host)
        if found == self.expected:
            return ""
        return f"§{self.section} {self.says}\n    expected: {self.expected!r}\n    found:    {found!r}"


def assert_facts(host: Host, facts: Iterable[Fact]) -> None:
    """Raise AssertionError with every fact that does not hold on this page."""
    complaints = [complaint for fact in facts if (complaint := fact.complaint(host))]
    assert not complaints, "\n".join(["facts that do not hold:", *complaints])


def is_in_order(names: list[str], *expected: str) -> bool:
    """Tell whether some names occur in this order, with anything between them."""
    rest = iter(names)
    return all(name in rest for name in expected)
