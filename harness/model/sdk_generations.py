"""Which options, events and log lines ChatKit had when: the published types by their versions, the frame by the day it was read.

In: nothing. Out: one table, and what it says of a path or of a whole SDK. A generation is added below when OpenAI publishes one; the
types are compared with the table where they are installed. Paths leave the indices of lists out: `startScreen.prompts.icon`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A state of ChatKit that somebody has seen whole."""

    name: str
    told: str  # in a sentence
    date: str  # of publication, or of the day on which it was read


LOADER_2025 = Generation(name="sdk-2025", told="the loader and frame of October 2025", date="2025-10")
FRAME_2026 = Generation(name="frame-2026-06", told="the frame of June 2026", date="2026-06-02")
TYPES = Generation(name="types-1.9.0", told="the types of 1.9.0", date="2026-08-07")
GENERATIONS = (LOADER_2025, FRAME_2026, TYPES)
TYPES_VERSION = "1.9.0"
FRAMES = {  # as loaders of a generation name their frame
    "index-oHOVyHxfZ-.html": LOADER_2025,
    "index-ns0pNeJTIC.html": LOADER_2025,
    "index-qHsKwIyx09.html": FRAME_2026,
    "index-standin01.html": FRAME_2026,
}
FIRST_TYPES = "1.0.0"  # of October 2025: of what its frame accepted, nothing else is known
TYPED_SINCE: dict[str, str] = {  # version of the published types -> the options that came with it
    "1.0.0": """
        api api.domainKey api.fetch api.getClientSecret api.uploadStrategy api.uploadStrategy.type
        api.uploadStrategy.uploadUrl api.url composer composer.attachments composer.attachments.accept
        composer.attachments.enabled composer.attachments.maxCount composer.attachments.maxSize composer.models
        composer.models.default composer.models.description composer.models.disabled composer.models.id
        composer.models.label composer.placeholder composer.tools composer.tools.icon composer.tools.id composer.tools.label
        composer.tools.pinned composer.tools.placeholderOverride composer.tools.shortLabel disclaimer
        disclaimer.highContrast disclaimer.text entities entities.onClick entities.onRequestPreview entities.onTagSearch
        header header.enabled header.leftAction header.leftAction.icon header.leftAction.onClick header.rightAction
        header.rightAction.icon header.rightAction.onClick header.title header.title.enabled header.title.text history
        history.enabled history.showDelete history.showRename initialThread locale onClientTool startScreen
        startScreen.greeting startScreen.prompts startScreen.prompts.icon startScreen.prompts.label
        startScreen.prompts.prompt theme theme.color theme.color.accent theme.color.accent.level theme.color.accent.primary
        theme.color.grayscale theme.color.grayscale.hue theme.color.grayscale.shade theme.color.grayscale.tint
        theme.color.surface theme.color.surface.background theme.color.surface.foreground theme.colorScheme theme.density
        theme.radius theme.typography theme.typography.baseSize theme.typography.fontFamily theme.typography.fontFamilyMono
        theme.typography.fontSources theme.typography.fontSources.display theme.typography.fontSources.family
        theme.typography.fontSources.src theme.typography.fontSources.style theme.typography.fontSources.unicodeRange
        theme.typography.fontSources.weight threadItemActions threadItemActions.feedback threadItemActions.retry widgets
        widgets.onAction
    """,
    "1.2.0": """
        composer.tools.persistent startScreen.prompts.prompt.data startScreen.prompts.prompt.group
        startScreen.prompts.prompt.id startScreen.prompts.prompt.interactive startScreen.prompts.prompt.text
        startScreen.prompts.prompt.type
    """,
    "1.3.0": """
        frameTitle
    """,
    "1.5.0": """
        composer.dictation composer.dictation.enabled entities.showComposerMenu
    """,
    "1.7.0": """
        thread thread.autoScroll
    """,
    "1.9.0": """
        commands commands.enabled commands.onSearch commands.onSelect
    """,
}
UNTYPED = """
        api.addMetadataToRequest composer.entityTags composer.visuallyDisableSubmitWhenEmpty disableTelemetry
        externalVendors externalVendors.logRocket externalVendors.logRocket.appId externalVendors.logRocket.identifyParams
        externalVendors.logRocket.identifyParams.options externalVendors.logRocket.identifyParams.userId
        externalVendors.logRocket.initParams history.search history.search.enabled startScreen.enabled
        startScreen.prompts.accent startScreen.prompts.accent.icon startScreen.prompts.accent.label
        startScreen.prompts.markdown theme.unsafeVariables threadItemActions.share threadItemActions.share.enabled
        threadItemActions.share.icon
"""  # the frame of June 2026 accepts them, and no types have ever listed them
NEWER = frozenset(
    {"commands", "commands.enabled", "commands.onSearch", "commands.onSelect"}
)  # typed, and refused by the frame of June 2026
SHELL_ONLY = frozenset({"api.anonToken", "api.userToken", "api.fetchHeaders", "api.features"})  # no page may pass these
EVENTS_SINCE = {  # without `chatkit.`; "": no types list it
    "1.0.0": "error log response.end response.start thread.change thread.load.end thread.load.start",
    "1.0.1": "ready",
    "1.1.0": "effect",
    "1.2.0": "tool.change",
    "1.6.0": "deeplink",
    "1.9.0": "history.close history.open",
    "": "composer.layout.change composer.submit response.stop toast.hide toast.show",
}
MOST_NAMED = 6
DEEPEST_MEANT = 2  # dots: what is deeper has names of everyday use, such as `style`
NEWER_EVENTS = frozenset({"history.close", "history.open"})  # typed, and denied by the loader of June 2026
_LOG_LINES = """
        app.init composer.ready composer.tools.ready composer.submit composer.plusButton.click composer.entityMenu.click
        composer.tool.select composer.tool.unselect composer.model.select attachment.add attachment.upload toast.show
        dialog.open dialog.close header.customButtonLeft.click header.customButtonRight.click newChat.create history.open
        history.close history.thread.select history.thread.delete history.thread.update startScreenPrompt.select
        message.action message.link.click message.annotation.click source.click widget.action errorNotice.retry
    """
LOG_LINES = tuple(_LOG_LINES.split())  # of the frame of June 2026; that of 2025 has no `composer.ready`


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option, and who knows it."""

    path: str
    typed_since: str  # version of the published types; "": never
    is_in_frame: bool  # of June 2026

    @property
    def is_newer_than_frame(self) -> bool:
        """Whether the published types have it, and the last frame that was read refuses it."""
        return bool(self.typed_since) and not self.is_in_frame


OPTIONS: dict[str, Option] = {
    path: Option(path=path, typed_since=version, is_in_frame=path not in NEWER)
    for version, paths in [*TYPED_SINCE.items(), ("", UNTYPED)]
    for path in paths.split()
}
EVENTS = {name: version for version, names in EVENTS_SINCE.items() for name in names.split()}
FRAME_EVENTS = EVENTS.keys() - NEWER_EVENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkTraits:
    """What one SDK can do, as its own scripts say: empty where they are not written in a form that is known."""

    options: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    log_lines: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether anything could be read."""
        return bool(self.options and self.events)

    @property
    def beyond(self) -> tuple[str, ...]:
        """The options and events that the frame of June 2026 does not have."""
        of_frame = {path for path, option in OPTIONS.items() if option.is_in_frame}
        return (
            *sorted({*self.options} - of_frame),
            *sorted(f"chatkit.{name}" for name in {*self.events} - FRAME_EVENTS),
        )

    @property
    def without(self) -> tuple[str, ...]:
        """The options, events and log lines of the frame of June 2026 that it does not have."""
        of_frame = {path for path, option in OPTIONS.items() if option.is_in_frame}
        lines = [name for name in LOG_LINES if name not in self.log_lines]
        return (
            *sorted(of_frame - {*self.options}),
            *sorted(f"chatkit.{name}" for name in FRAME_EVENTS - {*self.events}),
            *(f"log {name}" for name in lines),
        )

    @property
    def told(self) -> str:
        """Say which generation it is, in a few words."""
        if not self.is_known:
            return "unknown: its scripts are not written as in the SDK of June 2026"
        if not self.beyond and not self.without:
            return f"as {FRAME_2026.told}"
        if set(TYPES_ONLY) <= set(self.beyond):
            return f"as {TYPES.told}, or newer"
        more = [f"with {_names(self.beyond)}"] if self.beyond else []
        less = [f"without {_names(self.without)}"] if self.without else []
        return f"another one than {FRAME_2026.told}: {', '.join(more + less)}"


def _names(paths: tuple[str, ...]) -> str:
    """Name the first few, without what is below another one."""
    whole = [path for path in paths if not any(path.startswith(f"{other}.") for other in paths)]
    return ", ".join(whole[:MOST_NAMED]) + (f" and {len(whole) - MOST_NAMED} more" if len(whole) > MOST_NAMED else "")


TYPES_ONLY = (*sorted(NEWER), *sorted(f"chatkit.{name}" for name in NEWER_EVENTS))


def path_without_indices(path: str) -> str:
    """Return a path as this table has it: `startScreen.prompts[0].icon` becomes `startScreen.prompts.icon`."""
    return "".join(part.partition("]")[2] if number else part for number, part in enumerate(path.split("[")))


def meant_by(above: str, key: str) -> str:
    """Return the path of the option that somebody meant by a key that is none there; "" when there is no likely one.

    A key of another spelling beside it, else an option of this very name elsewhere.
    """
    prefix = f"{above}." if above else ""
    beside = [path.removeprefix(prefix) for path in OPTIONS if path.startswith(prefix)]
    spelled = {_plain(name): name for name in beside if name and "." not in name}
    near = get_close_matches(_plain(key), spelled, n=1, cutoff=0.75)
    if near:
        return prefix + spelled[near[0]]
    elsewhere = [path for path in OPTIONS if path.rpartition(".")[2] == key and path.count(".") <= DEEPEST_MEANT]
    return elsewhere[0] if len(elsewhere) == 1 else ""


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
