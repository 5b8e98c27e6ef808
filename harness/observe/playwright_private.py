"""The private parts of Playwright that the harness needs, each with its reason, and the check that this version has them.

In: Playwright's own objects. Out: results. No other module uses these parts. The synchronous API makes one call at a time and cannot wait
for our own events; the asynchronous layer below it can make calls in parallel and with a deadline.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext, Frame, Page, Response, WebSocketRoute

from harness.errors import EnvironmentFailure

Answer = TypeVar("Answer")
OF_OBJECTS = ("_sync", "_impl_obj", "_loop", "_dispatcher_fiber")
OF_CONTEXTS = ("add_cookies",)  # of what stands behind `_impl_obj`


def check_parts(context: BrowserContext) -> None:
    """Raise EnvironmentFailure when this version of Playwright lacks a part that the harness uses."""
    missing = [name for name in OF_OBJECTS if not hasattr(context, name)]
    if "_impl_obj" not in missing:
        missing += [f"_impl_obj.{name}" for name in OF_CONTEXTS if not hasattr(context._impl_obj, name)]
    if missing:
        raise EnvironmentFailure(
            f"Playwright {version('playwright')} has no {', '.join(missing)}, which chatkit-harness needs of a browser context\n"
            "  to fix: install a version of playwright that the requirements of chatkit-harness allow"
        )


def run_on_loop(owner: Page | BrowserContext, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine returns on Playwright's own loop, which goes on meanwhile; every call of the synchronous API does this."""
    answer: Answer = owner._sync(work)
    return answer


def loop_of(owner: Page | BrowserContext) -> AbstractEventLoop:
    """Return the loop that Playwright runs on: the only one that may speak to the browser."""
    loop: AbstractEventLoop = owner._loop
    return loop


def is_driver_gone(page: Page) -> bool:
    """Whether Playwright's driver, and every browser with it, is gone; nothing can be asked any more."""
    return bool(page._dispatcher_fiber.dead or page._loop.is_closed())


def behind(thing: Any) -> Any:
    """Return the asynchronous object that a page, a frame, a locator or a handle stands for; its methods are awaited on the loop."""
    return thing._impl_obj


async def evaluated(frame: Frame, expression: str, argument: Any = None) -> Any:
    """Return what an expression is in a frame. A frame that never commits does not answer: give it a deadline."""
    return await frame._impl_obj.evaluate(expression, argument)


async def body_of(response: Response) -> bytes:
    """Return a response's body."""
    content: bytes = await response._impl_obj.body()
    return content


def headers_of(response: Response) -> dict[str, str]:
    """Return a response's headers by their names in lower case, without asking the browser."""
    return {name.lower(): value for name, value in response._impl_obj.headers.items()}


async def body_bytes_of(response: Response) -> int:
    """Return how many bytes of body came over the network."""
    size: int = (await response._impl_obj.request.sizes())["responseBodySize"]
    return size


async def add_cookie(context: Any, cookie: dict[str, Any]) -> None:
    """Put a cookie into a context; on the loop of that context."""
    await context._impl_obj.add_cookies([cookie])


def send_later(context: BrowserContext, socket: WebSocketRoute, message: str | bytes, after_s: float) -> None:
    """Send a message on a routed WebSocket after a while; not at all when its page is gone by then."""
    loop_of(context).call_later(after_s, socket._impl_obj.send, message)
