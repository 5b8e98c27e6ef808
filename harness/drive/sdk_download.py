"""Downloads ChatKit's SDK from a CDN: the loader, its frame, and all files that they refer to.

In: the CDN's base URL. Out: files in memory, within bounds, and what was named and is not there. Nothing outside the base is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock
from urllib.parse import quote, unquote, urlsplit

import httpx

from harness import __version__
from harness.analysis.sdk_references import Need, frames_in, kind_of, references_of
from harness.config.authorities import FILE, trusted
from harness.errors import EnvironmentFailure, RecordingError
from harness.model.chatkit import LOADER_PATH
from harness.model.sdk_traits import traits_of_files
from harness.model.snapshot import Snapshot, file_of, is_safe_path

LOADER = LOADER_PATH.lstrip("/")
TEXTS = frozenset({"loader", "html", "js", "css"})
MOST_FILES = 6_000  # in June 2026 there are 1,657, most of them icons
MOST_TRIES = 12_000
AT_A_TIME = 8
LARGEST_FILE_BYTES = 30_000_000
LARGEST_SDK_BYTES = 200_000_000
TIMEOUT = httpx.Timeout(30.0, connect=15.0)
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLimits:
    """How much is downloaded at most."""

    files: int = MOST_FILES
    tries: int = MOST_TRIES
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
            base_url=self.base_url,
            taken_at=self.taken_at,
            files=tuple(files),
            missing=tuple(sorted(self.missing)),
            outside=tuple(self.outside),
            traits=traits_of_files(self.contents),
        )


def pull(
    base_url: str,
    *,
    seeds: Iterable[str] = (),
    limits: PullLimits = PullLimits(),
    clock: Clock = lambda: datetime.now(UTC),
) -> Pulled:
    """Return what a CDN serves now. `seeds`: more paths to ask for, which need not be there.

    Raises EnvironmentFailure when the CDN cannot be reached, RecordingError when what it serves is not a whole SDK.
    """
    pulled = Pulled(base_url=base_url.rstrip("/"), taken_at=clock().isoformat(timespec="seconds"))
    with _Puller(pulled, limits) as puller:
        puller.follow([_Wanted(path=LOADER, needed_by="")])
        loader = pulled.contents[LOADER].decode("utf-8", "replace")
        if not frames_in(loader):
            raise RecordingError(
                f"{_url(pulled.base_url, LOADER)} refers to no frame (index-….html): it is not ChatKit's loader\n"
                f"  found:  {len(loader)} characters that begin with {loader[:60]!r}\n"
                "  to fix: check --from, and whether a proxy answers instead of the CDN"
            )
        puller.follow(_Wanted(path=path, needed_by=None) for path in seeds)
    return pulled


def pull_more(pulled: Pulled, paths: Iterable[str], *, limits: PullLimits = PullLimits()) -> bool:
    """Ask for more paths, and for what they lead to; return whether there is anything new. Raises as `pull` does."""
    before = len(pulled.contents)
    with _Puller(pulled, limits) as puller:
        puller.follow(_Wanted(path=path, needed_by=None) for path in paths if path not in pulled.missing)
    return len(pulled.contents) > before


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A path to ask for, and who needs it: "" for the loader itself, None for a path that may be missing."""

    path: str
    needed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came for one path: its content, or why there is none."""

    content: bytes = b""
    media_type: str = ""
    missing: str = ""


class _Puller:
    """Asks one CDN for paths, each once, some at a time, and for what their files refer to."""

    def __init__(self, pulled: Pulled, limits: PullLimits) -> None:
        self._pulled, self._limits = pulled, limits
        agent = {"user-agent": f"chatkit-harness/{__version__}"}
        is_local = (urlsplit(pulled.base_url).hostname or "") in ("127.0.0.1", "::1", "localhost")
        self._client = httpx.Client(
            timeout=TIMEOUT,
            headers=agent,
            trust_env=not is_local,  # a proxy is not asked for this machine
            verify=trusted(),
            limits=httpx.Limits(max_connections=AT_A_TIME, max_keepalive_connections=AT_A_TIME),
        )
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="sdk-pull")
        self._has_failed = Event()
        self._tries = 0
        self._lock = Lock()
        self._size = sum(map(len, pulled.contents.values()))

    def __enter__(self) -> _Puller:
        return self

    def __exit__(self, *_: object) -> None:
        self._has_failed.set()
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def follow(self, start: Iterable[_Wanted]) -> None:
        """Download paths and all that they lead to, in rounds: what a round's files refer to is the next one."""
        wanted = list(start)
        while wanted:
            now = self._not_asked_yet(wanted)
            answers = self._threads.map(self._get, now)
            wanted = [more for one, answer in zip(now, answers, strict=True) for more in self._taken(one, answer)]

    def _not_asked_yet(self, wanted: list[_Wanted]) -> list[_Wanted]:
        """Return what there is to ask, each path once; who needs it wins over who may do without it."""
        pulled, chosen = self._pulled, dict[str, _Wanted]()
        for one in wanted:
            is_known = one.path in pulled.contents or (one.path in pulled.missing and one.needed_by is None)
            if is_known or not is_safe_path(one.path):
                continue
            if one.path not in chosen or chosen[one.path].needed_by is None:
                chosen[one.path] = one
        self._tries += len(chosen)
        if self._tries > self._limits.tries:
            raise self._too_many()
        return list(chosen.values())

    def _taken(self, one: _Wanted, answer: _Answer) -> list[_Wanted]:
        """Store an answer and return what it leads to. Raises for a file that is needed and is not there."""
        pulled = self._pulled
        if answer.missing:
            pulled.missing[one.path] = answer.missing
            if one.needed_by is None:
                return []
            why = f"\n  needed by: {one.needed_by}" if one.needed_by else ""
            raise RecordingError(
                f"{_url(pulled.base_url, one.path)} is missing: {answer.missing}{why}\n  to fix: try again, or "
                "check --from"
            )
        if len(pulled.contents) >= self._limits.files:
            raise self._too_many()
        pulled.missing.pop(one.path, None)
        pulled.contents[one.path], pulled.media_types[one.path] = answer.content, answer.media_type
        return self._references_in(one.path, is_needed=one.needed_by is not None)

    def _references_in(self, path: str, *, is_needed: bool) -> list[_Wanted]:
        """Return what a file leads to. What a file needs that is not needed itself may be missing, as that one may."""
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
        return [
            _Wanted(path=reference.path, needed_by=path if is_needed and reference.need is Need.AT_ONCE else None)
            for reference in found.inside
        ]

    def _get(self, one: _Wanted) -> _Answer:
        """Download one file. Raises for one that is not whole, and for a CDN that does not answer. Called from several threads."""
        if self._has_failed.is_set():
            return _Answer(missing="not downloaded")
        url = _url(self._pulled.base_url, one.path)
        content = bytearray()
        try:
            with self._client.stream("GET", url) as answer:
                if answer.status_code != 200:
                    return _Answer(missing=f"it answers {answer.status_code}")
                media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                for piece in answer.iter_bytes():
                    content += piece
                    self._count(url, len(content), len(piece))
        except httpx.RemoteProtocolError as error:
            self._has_failed.set()
            raise RecordingError(
                f"{url} ended before it was complete, after {len(content)} bytes: {error}\n  to fix: try again"
            ) from error
        except httpx.HTTPError as error:
            self._has_failed.set()
            told = str(error) or type(error).__name__
            raise EnvironmentFailure(f"{url} cannot be downloaded: {told}\n  to fix: {_remedy(error)}") from error
        if media_type == "text/html" and kind_of(one.path, loader=LOADER) != "html":
            return _Answer(missing="the response is a web page")  # some servers answer everything with their start page
        return _Answer(content=bytes(content), media_type=media_type)

    def _count(self, url: str, size: int, more: int) -> None:
        if size > self._limits.file_bytes:
            raise self._stopped(
                f"{url} is larger than {self._limits.file_bytes:,} bytes, too large for a file of the SDK"
            )
        with self._lock:
            self._size += more
            is_too_much = self._size > self._limits.total_bytes
        if is_too_much:
            raise self._stopped(f"{self._pulled.base_url} serves more than {self._limits.total_bytes:,} bytes")

    def _too_many(self) -> RecordingError:
        return self._stopped(
            f"{self._pulled.base_url} has too many files for an SDK: more than {self._limits.files:,} files"
        )

    def _stopped(self, why: str) -> RecordingError:
        self._has_failed.set()
        return RecordingError(why)


def _remedy(error: httpx.HTTPError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"name its authority's certificate: --ca FILE (or {FILE})"
    return "check the network, the proxy, and --from"


def _url(base_url: str, path: str) -> str:
    return f"{base_url}/{quote(path, safe='/@~')}"


def path_of(asked: str) -> str:
    """Return a path as a server heard it, as a snapshot has it."""
    return unquote(asked.lstrip("/"), errors="surrogateescape")
