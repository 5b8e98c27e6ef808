"""Small apps of our own on published packages, as people build them: installed and built once, outside the tracked files.

In: a folder of sources for each. Out: a built copy under `.apps/`, named after the hash of its sources, and the shell command that
serves it. Each app reads the variable APP_FAULT; what it may be stands in tests/apps/faults.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

SOURCES = Path(__file__).parent
CACHE = SOURCES.parent.parent / ".apps"
INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
INSTALL_TIMEOUT_S = 600
BUILD_TIMEOUT_S = 600
SHOWN_LINES = 20
# The tools' own reports to their makers, and their looks for newer versions.
QUIET = {
    "NEXT_TELEMETRY_DISABLED": "1",
    "NUXT_TELEMETRY_DISABLED": "1",
    "ASTRO_TELEMETRY_DISABLED": "1",
    "DO_NOT_TRACK": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "npm_config_update_notifier": "false",
}
PYTHON_BACKEND = f"{shlex.quote(sys.executable)} {shlex.quote(str(SOURCES / 'plain' / 'server.py'))}"


class AppError(Exception):
    """An app cannot be installed, or cannot be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """How an app is built and served; `{port}` and `{spare}` (a second free port) stand for ports."""

    name: str
    serves: dict[str, str]  # "production", "development" → the command, in the app's built folder
    build: str = ""  # a command for the shell; "": there is nothing to build
    log_ready: str = ""  # what the slower of two processes says, where an answer of the other proves nothing
    needs_node: bool = True
    is_server_rendered: bool = False


APPS = {
    app.name: app
    for app in (
        App(
            name="next",
            build="npx next build",
            serves={
                "production": "PORT={port} exec npx next start -H localhost",
                "development": "PORT={port} exec npx next dev -H localhost",
            },
            is_server_rendered=True,
        ),
        App(
            name="nuxt",
            build="npx nuxt build",
            serves={
                "production": "PORT={port} HOST=localhost exec node .output/server/index.mjs",
                "development": "exec npx nuxt dev --no-fork --host localhost --port {port}",
            },
            is_server_rendered=True,
        ),
        App(
            name="sveltekit",
            build="npx vite build",
            serves={
                "production": "PORT={port} HOST=localhost ORIGIN=http://localhost:{port} exec node build",
                "development": "exec npx vite dev --host localhost --port {port}",
            },
            is_server_rendered=True,
        ),
        App(
            name="vite",
            build="npx vite build",
            serves={
                "production": f"STATIC=dist PORT={{port}} exec {PYTHON_BACKEND}",
                "development": f"PORT={{spare}} {PYTHON_BACKEND} & "
                "BACKEND_PORT={spare} exec npx vite --host localhost --port {port}",
            },
            log_ready="Uvicorn running on",
        ),
        App(name="plain", serves={"production": f"PORT={{port}} exec {PYTHON_BACKEND}"}, needs_node=False),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A way to serve a built app that nothing has started yet."""

    url: str  # without a path
    command: str  # for the shell, in any folder
    log_ready: str  # a text in its output; "": an answer is enough


def why_not(app: App) -> str:
    """Return what this machine lacks for the app; "" when nothing."""
    if app.needs_node and not (shutil.which("node") and shutil.which("npm")):
        return f"Node.js and npm are not installed, and the app {app.name} is built with them"
    return ""


def built(app: App) -> Path:
    """Return the folder of the built app, which is made when it is not there. Raises AppError."""
    source = SOURCES / app.name
    if not app.needs_node:
        return source
    folder = CACHE / f"{app.name}-{_hash_of(source)}"
    CACHE.mkdir(exist_ok=True)
    with _alone(CACHE / f"{app.name}.lock"):
        if not (folder / ".built").exists():
            for older in CACHE.glob(f"{app.name}-*"):
                shutil.rmtree(older)
            shutil.copytree(source, folder)
            _run(shlex.join(INSTALL), folder, INSTALL_TIMEOUT_S)
            _run(app.build, folder, BUILD_TIMEOUT_S)
            (folder / ".built").touch()
    return folder


def served(app: App, folder: Path, mode: str, *, fault: str = "") -> Served:
    """Return how to serve a built app on a free port of its own, broken in one way."""
    port, spare = free_port(), free_port()
    variables = QUIET | {"APP_FAULT": fault}
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    command = app.serves[mode].format(port=port, spare=spare)
    return Served(
        url=f"http://localhost:{port}",
        command=f"cd {shlex.quote(str(folder))} && export {exports} && {{ {command}; }}",
        log_ready=app.log_ready,
    )


@contextlib.contextmanager
def one_at_a_time(app: App, mode: str) -> Iterator[None]:
    """Wait until no other process serves the app in this way: a development server wants its folder for itself."""
    if mode != "development":
        yield
        return
    CACHE.mkdir(exist_ok=True)
    with _alone(CACHE / f"{app.name}.served.lock"):
        yield


def _hash_of(source: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(source).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time install the app, or serve it from its sources."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(command: str, folder: Path, timeout_s: float) -> None:
    try:
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=os.environ | QUIET,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AppError(f"`{command}` did not end within {timeout_s:g} s, in {folder}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
        raise AppError(f"`{command}` ended with exit code {done.returncode}, in {folder}\n{said}")
