"""Downloads what a CDN serves of ChatKit's SDK: the loader, its frame, and every file that one of them leads to.

In: the CDN's base URL. Out: files in memory, within bounds, and what was named and is not there. Nothing outside the base is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

import httpx

from harness import __version__
from harness.analysis.sdk_references import frames_in, kind_of, references_of
from harness.errors import EnvironmentFailure, RecordingError
from harness.model.chatkit import LOADER_PATH
from harness.model.snapshot import Snapshot, file_of, is_safe_path

LOADER = LOADER_PATH.lstrip("/")
TEXTS = frozenset({"loader", "html", "js", "css"})
MOST_FILES = 1_000
MOST_TRIES = 3_000
LARGEST_FILE_BYTES = 30_000_000
LARGEST_SDK_BYTES = 200_000_000
TIMEOUT = httpx.Timeout(30.0, connect=15.0)
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is downloaded at most."""

    files: int = MOST_FILES
    file_bytes: int = LARGEST_FILE_BYTES
    total_bytes: int = LARGEST_SDK_BYTES


@dataclass(slots=True)
class Pulled:
    """What was downloaded so far. `snapshot` says what it is."""

    base_url: str
    taken_at: str
    contents: dict[str, bytes] = field(default_factory=dict)
    media_types: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # path → what was answered
    outside: dict[str, None] = field(default_factory=dict)  # URLs elsewhere, which a snapshot does not hold

    @property
    def snapshot(self) -> Snapshot:
        """Return the listing of what was downloaded."""
        files = (file_of(path, content, self.media_types[path]) for path, content in sorted(self.contents.items()))
        return Snapshot(
            base_url=self.base_url, taken_at=self.taken_at, files=tuple(files), missing=tuple(sorted(self.missing))
        )


def pull(
    base_url: str,
    *,
    seeds: Iterable[str] = (),
    limits: Limits = Limits(),
    clock: Clock = lambda: datetime.now(UTC),
) -> Pulled:
    """Return what a CDN serves now. `seeds`: more paths to ask for, which need not be there.

    Raises EnvironmentFailure when the CDN cannot be reached, RecordingError when what it serves is not a whole SDK.
    """
    pulled = Pulled(base_url=base_url.rstrip("/"), taken_at=clock().isoformat(timespec="seconds"))
    with _Puller(pulled, limits) as puller:
        puller.follow([(LOADER, "")])
        loader = pulled.contents[LOADER].decode("utf-8", "replace")
        if not frames_in(loader):
            raise RecordingError(
                f"{_url(pulled.base_url, LOADER)} names no frame (index-….html): it is not ChatKit's loader\n"
                f"  found:  {len(loader)} characters that begin with {loader[:60]!r}\n"
                "  to fix: check --from, or whether something on the way answers in the CDN's place"
            )
        puller.follow([(path, None) for path in seeds])
    return pulled


def pull_more(pulled: Pulled, paths: Iterable[str], *, limits: Limits = Limits()) -> bool:
    """Ask for more paths, and for what they lead to; return whether there is anything new. Raises as `pull` does."""
    before = len(pulled.contents)
    with _Puller(pulled, limits) as puller:
        puller.follow([(path, None) for path in paths if path not in pulled.missing])
    return len(pulled.contents) > before


class _Puller:
    """Asks one CDN for paths, each once, and for what their files refer to."""

    def __init__(self, pulled: Pulled, limits: Limits) -> None:
        self._pulled, self._limits = pulled, limits
        agent = {"user-agent": f"chatkit-harness/{__version__}"}
        is_local = (urlsplit(pulled.base_url).hostname or "") in ("127.0.0.1", "::1", "localhost")
        self._client = httpx.Client(timeout=TIMEOUT, headers=agent, trust_env=not is_local)
        self._tries = 0

    def __enter__(self) -> _Puller:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def follow(self, start: Iterable[tuple[str, str | None]]) -> None:
        """Download paths and all that they lead to. With each path: the file that needs it; None for one that may be missing."""
        waiting = deque(start)
        while waiting:
            path, needed_by = waiting.popleft()
            pulled = self._pulled
            if path in pulled.contents or not is_safe_path(path):
                continue
            if path in pulled.missing and needed_by is None:
                continue
            self._tries += 1
            if self._tries > MOST_TRIES or len(pulled.contents) >= self._limits.files:
                raise RecordingError(f"{pulled.base_url} serves more than an SDK: over {self._limits.files} files")
            if self._get(path, needed_by):
                waiting.extend(self._references_in(path))

    def _references_in(self, path: str) -> list[tuple[str, str | None]]:
        pulled = self._pulled
        kind = kind_of(path, loader=LOADER)
        if kind not in TEXTS:
            return []
        text = pulled.contents[path].decode("utf-8", "replace")
        found = references_of(text, url=_url(pulled.base_url, path), base_url=pulled.base_url, kind=kind)
        if found.refused:
            raise RecordingError(
                f"{_url(pulled.base_url, path)} refers to a path that leads out of a folder: {found.refused[0]}\n"
                "  to fix: nothing was stored; such a file is not ChatKit's"
            )
        pulled.outside |= dict.fromkeys(found.outside)
        return [(reference.path, path if reference.is_certain else None) for reference in found.inside]

    def _get(self, path: str, needed_by: str | None) -> bool:
        """Download one file; return whether it is there. Raises for one that is needed and is not there, or not whole."""
        pulled, url = self._pulled, _url(self._pulled.base_url, path)
        content = bytearray()
        try:
            with self._client.stream("GET", url) as answer:
                if answer.status_code != 200:
                    return self._miss(path, needed_by, f"it answers {answer.status_code}")
                media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                for piece in answer.iter_bytes():
                    content += piece
                    self._limit(url, len(content))
        except httpx.RemoteProtocolError as error:
            raise RecordingError(
                f"{url} ended before it was complete, after {len(content)} bytes: {error}\n  to fix: try again"
            ) from error
        except httpx.HTTPError as error:
            told = str(error) or type(error).__name__
            raise EnvironmentFailure(
                f"{url} cannot be downloaded: {told}\n  to fix: check the network, the proxy, and --from"
            ) from error
        kind = kind_of(path, loader=LOADER)
        if media_type == "text/html" and kind != "html":  # some servers answer everything with their start page
            return self._miss(path, needed_by, "it answers a web page")
        pulled.missing.pop(path, None)
        pulled.contents[path], pulled.media_types[path] = bytes(content), media_type
        return True

    def _miss(self, path: str, needed_by: str | None, what: str) -> bool:
        self._pulled.missing[path] = what
        if needed_by is None:
            return False
        why = f"\n  needed by: {needed_by}" if needed_by else ""
        raise RecordingError(
            f"{_url(self._pulled.base_url, path)} is not there: {what}{why}\n  to fix: try again, or check --from"
        )

    def _limit(self, url: str, size: int) -> None:
        if size > self._limits.file_bytes:
            raise RecordingError(f"{url} is larger than {self._limits.file_bytes:,} bytes: it is no file of an SDK")
        if size + sum(map(len, self._pulled.contents.values())) > self._limits.total_bytes:
            raise RecordingError(f"{self._pulled.base_url} serves more than {self._limits.total_bytes:,} bytes")


def _url(base_url: str, path: str) -> str:
    return f"{base_url}/{quote(path, safe='/@~')}"


def path_of(asked: str) -> str:
    """Return a path as a server heard it, as a snapshot has it."""
    return unquote(asked.lstrip("/"), errors="surrogateescape")
