"""ChatKit's names: its element, its files, its hosts and its events.

In: nothing. Out: constants, also for the in-page scripts. When OpenAI renames something, change it here.
"""

from __future__ import annotations

import json

TAG = "openai-chatkit"
WRAPPER = "div.ck-wrapper"  # the child of its shadow root that holds the frame; gone when the SDK gave up
MESSAGE_MARK = "__oaiChatKit"  # is true in every message between page and frame

CDN_HOST = "cdn.platform.openai.com"
CDN_ORIGIN = f"https://{CDN_HOST}"
LOADER_PATH = "/deployments/chatkit/chatkit.js"
LOADER_URL = CDN_ORIGIN + LOADER_PATH

READY = "chatkit.ready"
ERROR = "chatkit.error"
LOG = "chatkit.log"
TOAST_SHOWN = "chatkit.toast.show"
RESPONSE_START = "chatkit.response.start"
RESPONSE_END = "chatkit.response.end"
EVENTS = (
    READY, ERROR, LOG, RESPONSE_START, RESPONSE_END, "chatkit.response.stop", "chatkit.thread.change", "chatkit.thread.load.start",
    "chatkit.thread.load.end", "chatkit.tool.change", "chatkit.effect", "chatkit.deeplink", "chatkit.composer.submit",
    "chatkit.composer.layout.change", TOAST_SHOWN, "chatkit.toast.hide",
)  # fmt: skip


def with_names(script: str) -> str:
    """Return an in-page script with these names in place of its one `__CHATKIT__`."""
    names = {"tag": TAG, "loader": LOADER_URL, "events": EVENTS, "mark": MESSAGE_MARK}
    return script.replace("__CHATKIT__", json.dumps(names), 1)
