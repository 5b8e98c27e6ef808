"""JUnit with one test case for each test: pytest writes one for each attempt.

In: the file that pytest wrote. Out: the same, with the last attempt of each test only; its properties say how many there were.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from harness.report.bundle import write_bytes


def keep_last_attempts(path: Path) -> None:
    """Rewrite the file when a test stands in it more than once; leave it when it cannot be read."""
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError):
        return
    root = tree.getroot()
    removed = sum(_without_earlier(suite) for suite in root.iter("testsuite"))
    if removed:
        write_bytes(path, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _without_earlier(suite: ElementTree.Element) -> int:
    """Remove all but the last case of each test; return how many those were."""
    cases = suite.findall("testcase")
    last = {(case.get("classname"), case.get("name")): case for case in cases}
    for case in cases:
        if last[case.get("classname"), case.get("name")] is not case:
            suite.remove(case)
    return len(cases) - len(last)
