"""The trend of a page: the history of runs as points of a chart.

In: the history of `smoke`. Out: `Trend`, drawn by the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.history import PastVerdict, Record
from harness.report.history import History

MOST_POINTS = 120
LEFT, RIGHT, TOP, BOTTOM = 50.0, 990.0, 20.0, 190.0
SHAPES = {"ok": "circle", "degraded": "triangle"}  # everything else is a cross


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One run of the history."""

    at: str  # ISO 8601
    outcome: str  # "ok" | "degraded" | "failing" | …
    project: str = ""
    mount_ms: float  # -1: it did not mount
    cause: str = ""
    sdk: str = ""  # a digest of what the CDN served; "" when unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One line across the picture."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run in the picture."""

    x: float
    y: float
    shape: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkChange:
    """Where the SDK changed."""

    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendRow:
    """One run in the table."""

    when: str
    outcome: str
    mount: str
    cause: str
    sdk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The picture and the table."""

    sentence: str
    ticks: tuple[Tick, ...]
    points: tuple[Point, ...]
    changes: tuple[SdkChange, ...]
    path: str
    rows: tuple[TrendRow, ...]
    first: str
    last: str


def trend_of(nights: tuple[Night, ...], project: str = "") -> Trend | None:
    """Return the trend of a project's newest runs, of all where none is of that project; None without any."""
    nights = tuple(night for night in nights if night.project == project) or nights
    nights = tuple(sorted(nights, key=lambda night: night.at))[-MOST_POINTS:]
    if not nights:
        return None
    highest = max((night.mount_ms for night in nights), default=0)
    step = _step(max(highest, 100))
    top_ms = step * 4
    xs = [_x(number, len(nights)) for number in range(len(nights))]
    ys = [_y(night.mount_ms, top_ms) for night in nights]
    changed = [number for number in range(1, len(nights)) if _is_changed(nights, number)]
    return Trend(
        sentence=_sentence(nights, len(changed)),
        ticks=tuple(Tick(y=_y(step * n, top_ms), label=_seconds(step * n)) for n in range(5)),
        points=tuple(
            Point(x=x, y=y, shape=SHAPES.get(night.outcome, "cross"), text=_told(night))
            for night, x, y in zip(nights, xs, ys, strict=True)
        ),
        changes=tuple(SdkChange(x=round((xs[number - 1] + xs[number]) / 2, 1)) for number in changed),
        path=" ".join(f"{x},{y}" for night, x, y in zip(nights, xs, ys, strict=True) if night.mount_ms >= 0),
        rows=tuple(_row(night) for night in reversed(nights)),
        first=nights[0].at[:10],
        last=nights[-1].at[:10],
    )


def _x(number: int, total: int) -> float:
    return round(LEFT + 20 + (RIGHT - LEFT - 40) * (number / (total - 1) if total > 1 else 0.5), 1)


def _y(ms: float, top_ms: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * max(ms, 0) / top_ms, 1)


def _step(highest: float) -> float:
    """The distance of the ticks: 1, 2 or 5 times a power of ten, so that four of them reach the highest value."""
    size = 10.0
    while True:
        for factor in (1, 2, 5):
            if size * factor * 4 >= highest:
                return size * factor
        size *= 10


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3g} s"


def _is_changed(nights: tuple[Night, ...], number: int) -> bool:
    """Whether the SDK is another one than the last that is known."""
    before = next((night.sdk for night in reversed(nights[:number]) if night.sdk), "")
    return bool(before and nights[number].sdk and nights[number].sdk != before)


def _told(night: Night) -> str:
    mounted = (
        f"mounted after {_seconds(round(night.mount_ms))}" if night.mount_ms >= 0 else night.cause or "not mounted"
    )
    return f"{night.at[:16].replace('T', ' ')}: {night.outcome}, {mounted}"


def _row(night: Night) -> TrendRow:
    return TrendRow(
        when=night.at[:16].replace("T", " "),
        outcome=night.outcome,
        mount=f"{night.mount_ms:.0f} ms" if night.mount_ms >= 0 else "",
        cause=night.cause,
        sdk=night.sdk[:12],
    )


def _sentence(nights: tuple[Night, ...], changes: int) -> str:
    bad = sum(night.outcome not in SHAPES for night in nights)
    degraded = sum(night.outcome == "degraded" for night in nights)
    mounted = sorted(night.mount_ms for night in nights if night.mount_ms >= 0)
    parts = [f"{len(nights)} {'run' if len(nights) == 1 else 'runs'}: {len(nights) - bad - degraded} ok"]
    parts += [f"{degraded} degraded"] if degraded else []
    parts += [f"{bad} failing"] if bad else []
    parts += [f"half of the mounts took {_seconds(round(mounted[len(mounted) // 2]))} or less"] if mounted else []
    parts += [f"the SDK changed {'once' if changes == 1 else f'{changes} times'}"] if changes else []
    return ", ".join(parts) + "."


def nights_of(history: History) -> tuple[Night, ...]:
    """Return the runs in a history."""
    return tuple(_night(line.verdict) for line in history.lines if isinstance(line, Record))


def _night(verdict: PastVerdict) -> Night:
    return Night(
        at=verdict.at,
        outcome=verdict.outcome,
        project=verdict.project,
        mount_ms=verdict.mount_ms,
        cause=verdict.title or verdict.cause,
        sdk=" ".join(digest for _, digest in sorted(verdict.sdk)),
    )
