"""The `chatkit` fixture: opens entries, URLs and scenarios, with one bundle for each visit.

In: configuration, a way to make browser contexts, the embedded servers. Out: `Visit` objects, closed together at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from playwright.sync_api import BrowserContext, Error

from harness.config.reading import Config
from harness.config.steps import step_from, step_of
from harness.config.tables import Project
from harness.errors import ConfigError, EnvironmentFailure, HarnessError
from harness.model.bounds import Allowance
from harness.model.recording import Action, Recording
from harness.model.redaction import Redactor
from harness.report.recordings import opened_recording
from harness.servers.live import LiveRest
from harness.servers.replay import ReplayServer, serve_replay
from harness.servers.server import Stack
from harness.visit.opening import NewContext, open_visit
from harness.visit.record_modes import episode_of, keep_episode
from harness.visit.replay import change_of, elsewhere_of, target_of_recording
from harness.visit.target import Target, keep_of, target_of
from harness.visit.visit import Visit

Step = Mapping[str, str] | str


class Chatkit:
    """Opens ChatKit pages for one test. Use as a context manager: leaving it writes the bundles."""

    def __init__(
        self,
        *,
        config: Config,
        new_context: NewContext,
        stack: Callable[[], Stack],
        folder: Path,
        scenario: str = "",
        allowance: Allowance | None = None,
        told: Collection[str] = (),
    ) -> None:
        self.config = config
        self.visits: list[Visit] = []
        self._new_context = new_context
        self._stack = stack
        self.folder = folder
        self._scenario = scenario
        self._allowance = allowance or Allowance()
        self._told = told  # names of context arguments that `new_context` adds by itself: it takes none of them twice
        self.redactor = Redactor(config.secrets)
        self._open = ExitStack()
        self._contexts: list[BrowserContext] = []

    def __enter__(self) -> Chatkit:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish every visit and write its bundle."""
        self._open.close()
        if any(visit.embed.is_crashed for visit in self.visits):
            for context in self._contexts:
                with suppress(Error):  # pytest-playwright would fail the test a second time for a browser that is gone
                    context.close()

    def learn_secrets(self) -> None:
        """Read the responses of the open visits, because the message of a failure may show a secret from one of them."""
        for visit in self.visits:
            with suppress(Error, HarnessError):
                visit.learn_secrets()

    def open(
        self,
        what: str = "",
        *,
        click: str = "",
        steps: Sequence[Step] = (),
        scenario: str = "",
        fault: str = "",
        project: str = "",
        recording: str | Path = "",
        **context_args: Any,
    ) -> Visit:
        """Open an entry of the project, or a URL, and return the visit without waiting for the mount.

        `click` is a button to click instead of the entry's actions. `steps` are done after that, each a table as in the
        configuration, such as `{"fill": "Email", "with": "ada@example.org"}`, or a text as on the command line, such as
        "click=Open chat". `scenario` is for the embedded page only.
        `fault` is the name of a fault, or an expression such as "delay:session=8s", to inject into the requests of any page.
        `recording`: a bundle that answers every request instead of the network; its recorded clicks are repeated.
        `context_args` go to Playwright's `new_context`. Raises ConfigError for an unknown name, PageError when the page
        cannot be visited or has no such button.
        """
        if recording:
            return self._open_recording(self.config.root / recording, fault, context_args)
        found = self.config.project(project)
        if found.network == "replay" and not what.startswith(("http://", "https://")):
            return self._open_episode(found, what, click, tuple(map(_step, steps)), fault, context_args)
        target = self._target(
            what,
            click=click,
            steps=tuple(map(_step, steps)),
            scenario=scenario or self._scenario,
            fault=fault,
            project=project,
        )
        return self._open_target(target, context_args)

    def _open_target(
        self,
        target: Target,
        context_args: dict[str, Any],
        *,
        bodies: str = "only-on-failure",
        replay: ReplayServer | None = None,
    ) -> Visit:
        needs_servers = target.network == "hermetic" or (target.network == "live" and self.config.is_sdk_chosen)
        visit = self._open.enter_context(
            open_visit(
                partial(self._fresh_context, context_args),
                target,
                self._next_folder(),
                config=self.config,
                keep=keep_of(self.config.use, bodies=bodies),
                redactor=self.redactor,
                stack=self._stack() if needs_servers else None,
                replay=replay,
                allowance=self._allowance,
            )
        )
        self.visits.append(visit)
        visit.open()
        return visit

    def _open_recording(self, path: Path, fault: str, context_args: dict[str, Any]) -> Visit:
        recording, _ = self._open.enter_context(opened_recording(path))
        target = target_of_recording(recording)
        # A test sends its own messages.
        target = replace(target, actions=tuple(action for action in target.actions if action.action != "send"))
        return self._replayed(recording, target, fault, context_args, is_open=False)

    def _open_episode(
        self,
        project: Project,
        entry: str,
        click: str,
        steps: tuple[Action, ...],
        fault: str,
        context_args: dict[str, Any],
    ) -> Visit:
        """Open an entry of a project with recordings, according to its record mode."""
        episode = self._open.enter_context(episode_of(project, entry))
        folder = self._next_folder()
        if episode.is_kept:
            self._open.callback(keep_episode, folder, episode.path, self.redactor)
        network = "hermetic" if project.web_server else "live"
        is_elsewhere = bool(project.base_url or project.web_server)
        if episode.recording is None and not is_elsewhere:
            raise ConfigError(f"project {project.name!r} has nothing to record: add a base_url or a web_server")
        if is_elsewhere:
            target = target_of(project, entry=entry, click=click, steps=steps, fault="" if episode.recording else fault)
        else:
            assert episode.recording is not None
            recorded = tuple(action for action in episode.recording.actions if action.action != "send")
            actions = (Action(action="click", target=click),) if click else recorded
            target = target_of_recording(episode.recording)
            target = replace(target, project=project.name, actions=(*actions, *steps))
        if episode.recording is None:
            return self._open_target(replace(target, network=network), context_args, bodies="on")
        target = replace(target, network="replay", entry=entry)
        return self._replayed(episode.recording, target, fault, context_args, is_open=episode.is_open)

    def _replayed(
        self, recording: Recording, target: Target, fault: str, context_args: dict[str, Any], *, is_open: bool
    ) -> Visit:
        change = change_of([fault] if fault else [])
        elsewhere = elsewhere_of(recording, change) or (LiveRest() if is_open else None)
        server = self._open.enter_context(serve_replay(recording, faults=change.faults, elsewhere=elsewhere))
        return self._open_target(target, context_args, bodies="on", replay=server)

    def _fresh_context(self, context_args: dict[str, Any], **options: Any) -> BrowserContext:
        ours = {name: value for name, value in options.items() if name not in self._told}
        try:
            context = self._new_context(**(ours | context_args))
        except Exception as error:  # Playwright has three kinds of them for a connection that is gone
            if "has been closed" not in str(error) and "onnection closed" not in str(error):
                raise
            raise EnvironmentFailure("the browser is not available: it crashed earlier in this run") from error
        self._contexts.append(context)
        return context

    def _target(
        self, what: str, *, click: str, steps: tuple[Action, ...], scenario: str, fault: str, project: str
    ) -> Target:
        if what.startswith(("http://", "https://")):
            own = self.config.project(project)
            target = target_of(self.config.project_at(what), entry="page", click=click, steps=steps, fault=fault)
            return replace(target, network=own.network, session_endpoint=own.session_endpoint)
        found = self.config.project(project)
        stack = self._stack() if found.is_embedded else None
        return target_of(found, entry=what, scenario=scenario, click=click, steps=steps, fault=fault, stack=stack)

    def _next_folder(self) -> Path:
        number = len(self.visits) + 1
        return self.folder if number == 1 else self.folder / f"visit-{number}"


def _step(given: Step) -> Action:
    try:
        return step_from(given) if isinstance(given, str) else step_of(given)
    except ValueError as error:
        raise ConfigError(f"steps: {error}") from None
