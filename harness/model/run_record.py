"""The record of a run without its tests: the command, the machine, when it began and how it ended.

In: nothing. Out: one frozen value. `run.json` in the run's folder holds it, written at the start and completed at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.codec import Count, ExitCode, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run. Without `ended_at` it goes on, or was killed."""

    kind: str  # "gate" | "check" | "record" | "repro" | "smoke" | "pytest" | "merge"
    command: Text  # as a person would type it again, without secrets
    started_at: str  # ISO 8601 in UTC
    ended_at: str = ""
    exit_code: ExitCode = -1  # -1: it has not ended
    project: str = ""
    network: str = ""  # "hermetic" | "live" | "replay"
    browser: str = ""
    shard: str = ""  # "2/5": only this part of the tests
    shards: Count = 0  # of a merge: how many runs it joins
    versions: tuple[str, ...] = ()  # "chatkit-harness 0.1.0", "Python 3.11.9", …
    commit: str = ""
    ci_url: str = ""  # the page of the CI job
    problems: tuple[
        str, ...
    ] = ()  # what went wrong beside the tests: files that cannot be collected, a secret that was found

    @property
    def is_finished(self) -> bool:
        """Whether the run ended."""
        return self.ended_at != ""
