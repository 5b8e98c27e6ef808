"""Converts a hop to the facts of a visit, so that the rules of visits apply to the preflight.

In: a hop. Out: `Facts` of a visit with only this exchange. Its line is the hop's number.
"""

from __future__ import annotations

from harness.analysis.facts.exchanges import Exchange, split_url
from harness.analysis.facts.facts import Facts, PageFacts, SessionCall
from harness.analysis.mount.prefetch import Prefetch, PrefetchReport
from harness.analysis.mount.state import Mount
from harness.analysis.mount.tracks import Frame
from harness.analysis.mount.verdict import Outcome
from harness.model.events import BodyRead, RequestStarted, ResponseReceived
from harness.model.hops import Failure, Hop, HopKind

NOTHING_FETCHED = PrefetchReport(
    outcome=Prefetch.NEVER, connected_page_ms=-1, response_ended_page_ms=-1, url="", evidence=()
)
UNENDED = (Failure.SLOW_ANSWER, Failure.SLOW_CONNECT)


def exchange_of(hop: Hop) -> Exchange:
    """Return the exchange of a browser that corresponds to this hop."""
    is_answered = hop.status > 0 and hop.failure is not Failure.SLOW_ANSWER
    kind = {HopKind.PAGE: "document", HopKind.FRAME: "document", HopKind.LOADER: "script"}.get(hop.kind, "fetch")
    request = RequestStarted(
        request_id=str(hop.number),
        method=hop.method,
        url=hop.page_url,
        resource_type=kind,
        frame_url="",
        is_top_frame=hop.kind is not HopKind.FRAME,
        is_navigation=kind == "document",
        headers=(),
        body=None,
        string_digests=(),
        bearer="sent" if hop.is_signed_in or hop.kind is HopKind.DOMAIN else "",
    )
    response = ResponseReceived(
        request_id=request.request_id,
        status=hop.status,
        status_text="",
        headers=hop.headers,
        media_type=hop.media_type,
    )
    failed = hop.failure is not Failure.NONE and hop.failure not in UNENDED
    return Exchange(
        seq=hop.number,
        started_at_ms=0,
        request=request,
        response=response if is_answered else None,
        response_at_ms=hop.total_ms if is_answered else None,
        ended_at_ms=hop.total_ms if failed or is_answered else None,
        body=_body_of(hop) if is_answered and not failed else None,
        failure=failure_told(hop) if failed else "",
    )


def failure_told(hop: Hop) -> str:
    """Return how a hop failed, as the end of "failed with"."""
    said = hop.failure_text.strip()
    return f"{hop.failure.value}{f' ({said})' if said and said != hop.failure.value else ''}"


def _body_of(hop: Hop) -> BodyRead:
    return BodyRead(
        request_id=str(hop.number),
        body=None,
        secret_key=hop.secret_key,
        secret_digest="",
        secret_format=hop.secret_format,
        is_mock=hop.is_mock,
        is_verified=hop.is_verified,
        error_text=hop.error_text,
        string_digests=(),
        unread_reason="",
    )


def facts_of_hop(hop: Hop) -> Facts:
    """Return the facts of a visit with only this hop."""
    exchange = exchange_of(hop)
    is_session = hop.kind in (HopKind.APP_SESSION, HopKind.API_SESSION, HopKind.MODELS)
    call = SessionCall(
        exchange=exchange,
        is_named=True,
        has_secret=hop.secret_key != "",
        is_refused=exchange.failure != "" or hop.status >= 400 or (hop.is_good and not hop.secret_key),
    )
    is_removed = hop.kind is HopKind.DOMAIN
    return Facts(
        mount=Mount(frame=Frame.UNMOUNTED if is_removed else Frame.ABSENT),
        outcome=Outcome.TIMEOUT if hop.failure in UNENDED else Outcome.FAILED,
        decided_at_ms=hop.total_ms,
        page=_page_of(hop),
        prefetch=NOTHING_FETCHED,
        exchanges=(exchange,),
        scripts=(),
        loaders=(exchange,) if hop.kind is HopKind.LOADER else (),
        defined=(),
        lookalikes=(),
        notices=(),
        timings=(),
        embeds=(),
        options=None,
        shadows=(),
        box=None,
        messages=(),
        errors=(),
        events=(),
        frame_starts=(),
        frame_documents=(exchange,) if hop.kind is HopKind.FRAME else (),
        frame_scripts=(),
        handovers=(),
        frame_calls=(),
        sessions=(call,) if is_session else (),
        checks=(exchange,) if is_removed else (),
        calls=(exchange,) if hop.kind is HopKind.BACKEND else (),
        console=(),
        page_errors=(),
        violations=(),
        blocked=(),
        crashes=(),
        others=(),
        acted_seq=0,
    )


def _page_of(hop: Hop) -> PageFacts:
    if hop.kind is not HopKind.PAGE:
        return PageFacts(
            url=hop.origin, origin=hop.origin, is_top=True, is_secure_context=True, asked_url=hop.origin,
            status=200, headers=(), seq=hop.number, loaded_seq=hop.number,
        )  # fmt: skip
    url = hop.final_url or hop.url
    parts = split_url(url)
    return PageFacts(
        url=url,
        origin=f"{parts.scheme}://{parts.netloc}",
        is_top=True,
        is_secure_context=True,
        asked_url=hop.url,
        status=hop.status,
        headers=hop.headers,
        seq=hop.number,
        loaded_seq=hop.number,
    )
