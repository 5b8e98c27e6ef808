"""The supported CI systems: how each is recognised, and its outputs: annotations, job summary, masks, code quality report.

In: the environment, the run on disk. Out: a `CiSystem` and what it prints or writes; texts are escaped for where they go and within its
limits. To add a system: its functions, its `CiSystem`, its name in `CI_SYSTEMS`.
https://docs.github.com/actions/reference/workflow-commands
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.model.redaction import Redactor
from harness.report.bundle import write_json
from harness.report.page_model import ReportPage, ShownCause, TestRow, page_of
from harness.report.run_on_disk import RunOnDisk

Environ = Mapping[str, str]
MOST_ANNOTATIONS = 10  # of one kind that GitHub shows for a step
LARGEST_SUMMARY_BYTES = 1_000_000  # GitHub takes 1 MiB, and drops the whole when it is more
MOST_SUMMARY_TESTS = 200
SHORTEST_MASK = 4
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@-])")
CUT = "\n\n… truncated; see report.html for the rest\n"
CODE_QUALITY_NAME = "gl-code-quality-report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CiSystem:
    """A CI system: its variables, and its outputs."""

    name: str  # as in `--ci`
    flag: str  # the variable that is "true" on it
    commit: str  # the variable that holds the commit
    job_url: Callable[[Environ], str]  # the page of the job that this is; "" when the variables for it are missing
    masks: Callable[[Iterable[str]], Iterator[str]]  # returns the output that masks these values in its log
    show: Callable[[ReportPage, Path, Environ, Redactor], None]  # raises BundleError, OSError
    files: tuple[str, ...] = ()  # the file that it reads from the run's folder


# --- GitHub -------------------------------------------------------------------------------------------------------


def mask_commands(values: Iterable[str]) -> Iterator[str]:
    """Yield the commands that mask values in GitHub's log; a value of several lines is masked line by line."""
    for value in values:
        for line in re.split(r"[\r\n]+", value):
            if len(line.strip()) >= SHORTEST_MASK:
                yield f"::add-mask::{_data(line)}"


def render_annotations(page: ReportPage) -> tuple[str, ...]:
    """Return an error for each cause, a warning for each flaky test and for a smoke test that is degraded, within GitHub's limits."""
    # A smoke test that passed at its second attempt has causes too.
    kind = "warning" if page.word == "flaky" else "error"
    told = [_annotation(kind, "Run", problem) for problem in page.problems]
    told += [_of_cause(kind, cause) for cause in page.causes]
    flaky = [row for row in page.tests if row.word == "flaky"]
    warnings = [_annotation("warning", "Flaky test", f"{row.name} passed only after a retry", row) for row in flaky]
    if kind == "warning":
        return _bounded("warning", [*told, *warnings], "warnings")
    return (*_bounded("error", told, "causes"), *_bounded("warning", warnings, "flaky tests"))


def _of_cause(kind: str, cause: ShownCause) -> str:
    lines = [cause.seen, f"Why: {cause.why}" if cause.why else "", f"To fix: {cause.remedy}" if cause.remedy else ""]
    where = ", ".join(place.name for place in cause.places[:5])
    lines += [f"Where: {where}" + (f" and {len(cause.places) + cause.more - 5} more" if len(cause.places) > 5 else "")]
    title = f"{cause.title} ({cause.rule})" if cause.rule else cause.title
    return _annotation(kind, title, "\n".join(filter(None, lines)), cause.places[0] if cause.places else None)


def _annotation(kind: str, title: str, message: str, place: Any = None) -> str:
    nodeid = getattr(place, "nodeid", "")
    path = nodeid.partition("::")[0]
    file = f"file={_property(path)}," if path.endswith(".py") else ""
    return f"::{kind} {file}title={_property(title)}::{_data(message)}"


def _bounded(kind: str, commands: list[str], what: str) -> tuple[str, ...]:
    if len(commands) <= MOST_ANNOTATIONS:
        return tuple(commands)
    kept = commands[: MOST_ANNOTATIONS - 1]
    return (*kept, f"::{kind} title=More::{len(commands) - len(kept)} more {what}, see report.html")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_summary(page: ReportPage, *, room_bytes: int = LARGEST_SUMMARY_BYTES) -> str:
    """Return the job summary in Markdown: the verdict, the causes with their remedies, and the tests that did not pass."""
    marks = {"passed": "✅", "flaky": "⚠️"}
    lines = [f"## {marks.get(page.word, '❌')} {markdown(page.headline)}", ""]
    lines += [markdown(page.lead), ""] if page.lead else []
    lines += [markdown(" · ".join(filter(None, [page.tally_text, *(value for _, value in page.meta)]))), ""]
    lines += [f"> {markdown(problem.splitlines()[0])}\n" for problem in page.problems]
    for cause in page.causes:
        lines += [f"### {markdown(cause.title)}", ""]
        lines += [f"**{name}:** {markdown(text)}  " for name, text in _told(cause) if text]
        lines += [f"**Where:** {', '.join(markdown(place.name) for place in cause.places)}", ""]
    bad = [row for row in page.tests if not row.is_good]
    if bad:
        lines += ["| test | outcome | verdict |", "|---|---|---|", *map(_row, bad[:MOST_SUMMARY_TESTS])]
        lines += [f"\n{len(bad) - MOST_SUMMARY_TESTS} more did not pass."] if len(bad) > MOST_SUMMARY_TESTS else []
    return _cut("\n".join(lines).rstrip() + "\n", room_bytes)


def _told(cause: ShownCause) -> tuple[tuple[str, str], ...]:
    rule = f"{cause.rule}, {cause.confidence}" if cause.confidence else cause.rule
    return (("Rule", rule), ("Seen", cause.seen), ("Why", cause.why), ("To fix", cause.remedy))


def _row(row: TestRow) -> str:
    return f"| {markdown(row.name)} | {markdown(row.word)} | {markdown(row.verdict)} |"


def markdown(text: str) -> str:
    """Return a text that Markdown shows literally, in one line."""
    return MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _cut(text: str, room_bytes: int) -> str:
    content = text.encode("utf-8", "replace")
    if len(content) <= room_bytes:
        return content.decode()
    room = room_bytes - len(CUT.encode())
    return content[:room].decode("utf-8", "ignore") + CUT if room > 0 else ""


def _show_on_github(page: ReportPage, _folder: Path, environ: Environ, redactor: Redactor) -> None:
    """Print annotations and append the job summary."""
    for command in render_annotations(page):
        print(redactor.text(command), flush=True)
    if environ.get("GITHUB_STEP_SUMMARY"):
        path = Path(environ["GITHUB_STEP_SUMMARY"])
        taken = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(redactor.text(render_summary(page, room_bytes=max(LARGEST_SUMMARY_BYTES - taken, 0))))


def _github_job_url(environ: Environ) -> str:
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" if all(parts) else ""


GITHUB = CiSystem(
    name="github",
    flag="GITHUB_ACTIONS",
    commit="GITHUB_SHA",
    job_url=_github_job_url,
    masks=mask_commands,
    show=_show_on_github,
)


# --- GitLab -------------------------------------------------------------------------------------------------------


def code_quality(page: ReportPage) -> list[dict[str, Any]]:
    """Return GitLab's code quality report: one issue for each cause and place."""
    return [
        {
            "description": f"{cause.title}. {cause.remedy}".strip(),
            "check_name": cause.rule or "test-failed",
            "fingerprint": f"{cause.fingerprint}-{place.nodeid}",
            "severity": "major",
            "location": {"path": place.nodeid.partition("::")[0] or "playwright.config.toml", "lines": {"begin": 1}},
        }
        for cause in page.causes
        for place in cause.places
    ]


def _show_on_gitlab(page: ReportPage, folder: Path, _environ: Environ, redactor: Redactor) -> None:
    """Write the code quality report."""
    write_json(folder / CODE_QUALITY_NAME, redactor.value(code_quality(page)))


GITLAB = CiSystem(
    name="gitlab",
    flag="GITLAB_CI",
    commit="CI_COMMIT_SHA",
    job_url=lambda environ: environ.get("CI_JOB_URL", ""),
    masks=lambda _: iter(()),  # GitLab masks the variables of its settings, and has no commands for it
    show=_show_on_gitlab,
    files=(CODE_QUALITY_NAME,),
)


# --- all of them --------------------------------------------------------------------------------------------------

CI_SYSTEMS = (GITHUB, GITLAB)
CI_CHOICES = ("auto", *(system.name for system in CI_SYSTEMS), "off")


def ci_system(choice: str, environ: Environ) -> CiSystem | None:
    """Return the chosen or detected CI system. Raises KeyError for a name that is not in `CI_CHOICES`."""
    if choice == "auto":
        return next((system for system in CI_SYSTEMS if environ.get(system.flag) == "true"), None)
    return {system.name: system for system in CI_SYSTEMS}[choice] if choice != "off" else None


def ci_url(environ: Environ) -> str:
    """Return the page of the current CI job; "" outside of the known systems."""
    return next(filter(None, (system.job_url(environ) for system in CI_SYSTEMS)), "")


def ci_commit(environ: Environ) -> str:
    """Return the commit of the current CI job; "" outside of the known systems."""
    return next(filter(None, (environ.get(system.commit) for system in CI_SYSTEMS)), "")


def tell_ci(run: RunOnDisk, ci: CiSystem | None, environ: Environ, redactor: Redactor) -> None:
    """Write the outputs of a CI system for a run. Raises BundleError, OSError."""
    if ci is not None:
        ci.show(page_of(run, version=__version__), run.folder, environ, redactor)
