"""Keeps what no proxy sees on this machine: names that a browser looks up, and WebRTC.

In: options to launch a browser with, or a context. Out: options for a browser that makes hermetic visits and replays only; a script in
every document of a context, on every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext

SEALED_CHROMIUM = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
# A proxy that nobody is: what Firefox asks of Mozilla by itself goes there; contexts have their own.
SEALED_FIREFOX = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.failover_direct": False,
    "network.proxy.allow_bypass": False,  # which its own services do where their proxy fails
    "network.proxy.allow_hijacking_localhost": True,  # or a replay of a page of this machine asks the machine
    "network.trr.mode": 5,
}
# Chromium's own list of what no proxy is for has link-local addresses too; "<-loopback>" empties that list. Firefox's has loopback only.
LOOPBACK = {"chromium": "<-loopback>,localhost,*.localhost,127.0.0.0/8,[::1]", "webkit": "localhost,127.0.0.1,[::1]"}


def sealed_options(engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for `launch` of a browser that makes no live visit: it looks up no name of another machine, for itself neither."""
    if engine == "chromium":
        return {**options, "args": [*options.get("args", ()), *SEALED_CHROMIUM]}
    if engine == "firefox":
        return {**options, "firefox_user_prefs": SEALED_FIREFOX}
    return dict(options)


def proxy_options(url: str, engine: str) -> dict[str, str]:
    """Return the proxy of a context whose requests go there, but for those to servers of this machine, which are asked themselves."""
    return {"server": url} | ({"bypass": LOOPBACK[engine]} if engine in LOOPBACK else {})


def install_seal(context: BrowserContext) -> None:
    """Have WebRTC of a context reach nobody, and what it would have asked reported as blocked."""
    context.add_init_script(path=Path(__file__).with_name("seal.js"))
