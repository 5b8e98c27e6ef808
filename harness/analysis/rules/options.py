"""Options that the frame's validation rejects.

In: facts. Out: findings of this layer. The frame reports what it rejects and where; the probe reports which keys were passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.analysis.facts.facts import Facts, WidgetError
from harness.analysis.rules.rule import CHATKIT_JS, Confidence, Found, Layer, Party, Rule, lines_of, on_one_line
from harness.model.addresses import split_url
from harness.model.sdk_generations import FRAMES, OPTIONS, TYPES, TYPES_VERSION, meant_by, path_without_indices

REFUSED = r"ChatKit\.create\(\)|InvalidFrameParamsError|Invalid frame params"
AT = re.compile(r"(?:→|->)\s*at\s+([\w.\[\]]+)")
UNKNOWN_KEY = re.compile(r"Unrecognized keys?:?\s*(.+)")
COMPLAINT = re.compile(r"Unrecognized keys?:?[ \t]*([^\n]+)(?:\n\s*(?:→|->)\s*at\s+(\S+))?")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRONG_TYPE = re.compile(r"expected (\w+), received (\w+)")
STRATEGY = "uploadStrategy must be provided"
LEFT_BEHIND = r"Command onSetOptions not supported"
LIVE = r"chatKit\.setOptions\(\):"
URL_CHANGED = r"attempt to change \"?api\.url"
NO_HANDLER = r"No handler for (client tool calls|widget actions)"
METADATA = r"addMetadataToRequest must return"
_TWO_SHAPES = (
    "In hosted mode pass `api: {getClientSecret}` and no other key. With a custom backend pass `api: {url, domainKey}`, with a "
    "placeholder key on localhost."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """One error of the frame's validation."""

    error: WidgetError
    path: str  # "" for the options themselves
    evidence: tuple[int, ...]

    @property
    def message(self) -> str:
        """The message, on one line."""
        return on_one_line(self.error.message)


def _refusal(facts: Facts) -> _Refusal | None:
    errors = facts.errors_about(REFUSED)
    if not errors:
        return None
    path = AT.search(errors[0].message)
    options = (facts.options.seq,) if facts.options else ()
    return _Refusal(error=errors[0], path=path[1] if path else "", evidence=(*options, *(e.seq for e in errors[:4])))


def _is_about_key(refusal: _Refusal) -> bool:
    return UNKNOWN_KEY.search(refusal.error.message) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnknownKey:
    """A key that the frame does not know, and what this harness knows about it."""

    path: str  # dotted, without list indices
    told: str  # as the frame spells it
    meant: str  # the option that is probably meant; "" if none

    @property
    def is_newer(self) -> bool:
        """Whether the published types have it."""
        option = OPTIONS.get(self.path)
        return option is not None and bool(option.typed_since)

    @property
    def is_misspelled(self) -> bool:
        """Whether it is probably a misspelled or misplaced option."""
        return bool(self.meant) and self.path not in OPTIONS


def _unknown_keys(refusal: _Refusal) -> tuple[_UnknownKey, ...]:
    found = []
    for names, at in COMPLAINT.findall(refusal.error.message):
        above = path_without_indices(at)
        for key in QUOTED.findall(names):
            path = f"{above}.{key}" if above else key
            told = f"{at}.{key}" if at else key
            found.append(_UnknownKey(path=path, told=told, meant=meant_by(above, key)))
    return tuple(found)


def _frame_told(facts: Facts) -> str:
    """Name the frame: its file, and its generation where that is known."""
    document = facts.frame_document
    file = split_url(document.url).path.rpartition("/")[2] if document else ""
    generation = FRAMES.get(file)
    if not file:
        return "the frame that answered"
    return f"the frame that answered, {file}" + (f" ({generation.told})" if generation else "")


def _is_prompts_icon(refusal: _Refusal) -> bool:
    return refusal.path.startswith("startScreen") and refusal.path.endswith(".icon")


def _api_keys(facts: Facts) -> frozenset[str] | None:
    return frozenset(facts.options.event.api_keys) if facts.options else None


def _about_api(facts: Facts) -> tuple[_Refusal, frozenset[str] | None] | None:
    """The error and the keys of `api`, when the frame rejects `api` as a whole."""
    refusal = _refusal(facts)
    if refusal is None or refusal.path != "api":
        return None
    return refusal, _api_keys(facts)


def api_mixes_modes(facts: Facts) -> Iterator[Found]:
    """`api` contains keys of both modes."""
    about = _about_api(facts)
    if about and about[1] and "getClientSecret" in about[1] and about[1] & {"url", "domainKey", "uploadStrategy"}:
        yield Found(summary=f"api contains {_listed(about[1])}: {about[0].message}", evidence=about[0].evidence)


API_MIXES_MODES = Rule(
    id="api-mixes-modes",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="`api` mixes the hosted and the custom mode",
    cause="The options are validated strictly: getClientSecret cannot be combined with url, domainKey or "
    "uploadStrategy. In hosted mode the domain is only on the allowlist, not in the code.",
    remedy=_TWO_SHAPES,
    finds=api_mixes_modes,
    covers=("options-api-hosted-plus-domainkey",),
    doc=CHATKIT_JS,
)


def api_without_domain_key(facts: Facts) -> Iterator[Found]:
    """`api` has a url and no domainKey."""
    about = _about_api(facts)
    if about and about[1] and "url" in about[1] and not about[1] & {"domainKey", "getClientSecret"}:
        yield Found(
            summary=f"api contains {_listed(about[1])}, and no domainKey: {about[0].message}",
            evidence=about[0].evidence,
        )


API_WITHOUT_DOMAIN_KEY = Rule(
    id="api-without-domain-key",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The custom backend has no domain key",
    cause="With api.url a domainKey is required. In development it is required too, and any text is accepted.",
    remedy="Pass the domain key from the allowlist page. On localhost, pass any placeholder.",
    finds=api_without_domain_key,
    covers=("options-api-custom-no-domainkey",),
    doc=CHATKIT_JS,
)


def api_with_ready_secret(facts: Facts) -> Iterator[Found]:
    """`api` contains a secret instead of the function that fetches one."""
    about = _about_api(facts)
    known = {"clientToken", "clientSecret", "client_secret", "token", "secret"}
    if about and about[1] and about[1] & known and not about[1] & {"getClientSecret", "url"}:
        yield Found(summary=f"api contains {_listed(about[1])}: {about[0].message}", evidence=about[0].evidence)


API_WITH_READY_SECRET = Rule(
    id="api-with-ready-secret",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="`api` contains a secret instead of a function",
    cause="Old examples passed clientToken. ChatKit requires a function that it can call again when the secret "
    "expires.",
    remedy="Pass getClientSecret: async () => secret.",
    finds=api_with_ready_secret,
    covers=("options-api-client-token",),
    doc=CHATKIT_JS,
)


def api_empty(facts: Facts) -> Iterator[Found]:
    """`api` has neither getClientSecret nor url."""
    about = _about_api(facts)
    if about and about[1] is not None and not about[1]:
        yield Found(summary=f"api is missing or empty: {about[0].message}", evidence=about[0].evidence)


API_EMPTY = Rule(
    id="api-empty",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="`api` is missing or empty",
    cause="The options define neither getClientSecret nor url. Often a variable is undefined in this build.",
    remedy=_TWO_SHAPES,
    finds=api_empty,
    covers=("options-api-empty",),
    doc=CHATKIT_JS,
)


def api_invalid(facts: Facts) -> Iterator[Found]:
    """The frame rejects `api`, and its keys do not explain why."""
    about = _about_api(facts)
    if about and not any(
        any(rule(facts)) for rule in (api_mixes_modes, api_without_domain_key, api_with_ready_secret, api_empty)
    ):
        keys = f"api contains {_listed(about[1])}: " if about[1] else ""
        yield Found(summary=f"{keys}{about[0].message}", evidence=about[0].evidence)


API_INVALID = Rule(
    id="api-invalid",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="`api` matches none of the accepted shapes",
    cause="A key is unknown or missing, or a value has the wrong type.",
    remedy=_TWO_SHAPES,
    finds=api_invalid,
    doc=CHATKIT_JS,
)


def theme_invalid(facts: Facts) -> Iterator[Found]:
    """The theme is not one that ChatKit accepts."""
    refusal = _refusal(facts)
    if refusal and refusal.path.split(".")[0] == "theme":
        yield Found(summary=refusal.message, evidence=refusal.evidence)


THEME_INVALID = Rule(
    id="theme-invalid",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The theme is rejected",
    cause="ChatKit accepts 'light', 'dark' or an object with known keys and ranges. It does not accept 'auto', "
    "'system' or other colours.",
    remedy="Choose light or dark from the system's colour scheme in your code, and remove keys that the "
    "documentation does not list.",
    finds=theme_invalid,
    covers=("options-theme-invalid",),
    doc=CHATKIT_JS,
)


def prompt_icon_unknown(facts: Facts) -> Iterator[Found]:
    """A start-screen prompt has an unknown icon."""
    refusal = _refusal(facts)
    if refusal and _is_prompts_icon(refusal):
        yield Found(summary=refusal.message, evidence=refusal.evidence)


PROMPT_ICON_UNKNOWN = Rule(
    id="prompt-icon-unknown",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="A prompt's icon is unknown",
    cause="An icon must be in ChatKit's list, or have the form lucide:<name>.",
    remedy="Use an icon name from the documentation.",
    finds=prompt_icon_unknown,
    covers=("options-prompt-icon-invalid",),
    doc=CHATKIT_JS,
)


def header_shape_wrong(facts: Facts) -> Iterator[Found]:
    """The header's title, or one of its actions, has the wrong shape."""
    refusal = _refusal(facts)
    if refusal and refusal.path.split(".")[0] == "header" and not any(map(_is_explained, _unknown_keys(refusal))):
        yield Found(summary=refusal.message, evidence=refusal.evidence)


HEADER_SHAPE_WRONG = Rule(
    id="header-shape-wrong",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The header option has the wrong shape",
    cause="header.title is an object with only `enabled` and `text`. An action has an icon from a fixed list, and "
    "`onClick`.",
    remedy="Write header: { title: { enabled: true, text: '…' } }, with icons from the documentation.",
    finds=header_shape_wrong,
    covers=("options-header-shape",),
    doc=CHATKIT_JS,
)


def option_unknown(facts: Facts) -> Iterator[Found]:
    """ChatKit does not know a key in any version, and no option has a similar name."""
    refusal = _refusal(facts)
    if refusal is None or not _is_about_key(refusal) or refusal.path.split(".")[0] in ("theme", "header", "api"):
        return
    keys = _unknown_keys(refusal)
    if not keys or not all(map(_is_explained, keys)):
        yield Found(summary=refusal.message, evidence=refusal.evidence)


OPTION_UNKNOWN = Rule(
    id="option-unknown",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The options contain an unknown key",
    cause="Validation is strict at every level. A property that belongs to a component, an analytics library or "
    "another version stops the mount.",
    remedy="Remove the key that the message names.",
    finds=option_unknown,
    covers=("options-unknown-key",),
    doc=CHATKIT_JS,
)


def _is_explained(key: _UnknownKey) -> bool:
    return key.is_newer or key.is_misspelled


def option_misspelled(facts: Facts) -> Iterator[Found]:
    """A key is unknown, and an option has a similar name, or the same name in another place."""
    refusal = _refusal(facts)
    if refusal is None:
        return
    keys = [key for key in _unknown_keys(refusal) if key.is_misspelled]  # a newer option is reported under its own name
    if keys:
        told = "; ".join(f"`{key.told}` is not an option; `{key.meant}` is" for key in keys)
        yield Found(summary=f"{told}: {refusal.message}", evidence=refusal.evidence)


OPTION_MISSPELLED = Rule(
    id="option-misspelled",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="An option is misspelled or in the wrong place",
    cause="Validation is strict at every level and case-sensitive. A misspelled key, or a key on the wrong level, "
    "stops the mount.",
    remedy="Rename or move the key as the summary says.",
    finds=option_misspelled,
    confidence=Confidence.LIKELY,
    doc=CHATKIT_JS,
)


def option_newer_than_frame(facts: Facts) -> Iterator[Found]:
    """The published types have an option that this frame rejects."""
    refusal = _refusal(facts)
    if refusal is None:
        return
    for key in _unknown_keys(refusal):
        if key.is_newer:
            since = OPTIONS[key.path].typed_since
            dated = f", {TYPES.date}" if since == TYPES_VERSION else ""
            yield Found(
                summary=f"`{key.told}` is in the published types (since {since}{dated}), and {_frame_told(facts)} "
                "rejects it: " + refusal.message,
                evidence=refusal.evidence,
            )


OPTION_NEWER_THAN_FRAME = Rule(
    id="option-newer-than-frame",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The frame does not support an option of the published types yet",
    cause="The types are published separately from the frame. A frame rejects every option that it does not know. "
    "A stored copy does not change, and OpenAI's current frame can be older than the types.",
    remedy="Test with the current frame (--sdk live). Remove the option until the frame that your pages load "
    "accepts it.",
    finds=option_newer_than_frame,
    confidence=Confidence.LIKELY,
    doc=CHATKIT_JS,
)


def option_of_wrong_type(facts: Facts) -> Iterator[Found]:
    """A value is missing, or has the wrong type."""
    refusal = _refusal(facts)
    if refusal is None or _is_about_key(refusal) or STRATEGY in refusal.error.message:
        return
    is_taken = refusal.path == "api" or refusal.path.split(".")[0] in ("theme", "header") or _is_prompts_icon(refusal)
    if not is_taken and WRONG_TYPE.search(refusal.error.message):
        yield Found(summary=refusal.message, evidence=refusal.evidence)


OPTION_OF_WRONG_TYPE = Rule(
    id="option-of-wrong-type",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="An option is missing or has the wrong type",
    cause="A required value is undefined or has another type.",
    remedy="Correct the value at the path in the message.",
    finds=option_of_wrong_type,
    covers=("options-field-type",),
    doc=CHATKIT_JS,
)


def attachments_without_strategy(facts: Facts) -> Iterator[Found]:
    """Attachments are enabled, and `api` has no uploadStrategy."""
    refusal = _refusal(facts)
    if refusal and STRATEGY in refusal.error.message:
        yield Found(summary=refusal.message, evidence=refusal.evidence)


ATTACHMENTS_WITHOUT_STRATEGY = Rule(
    id="attachments-without-strategy",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="Attachments are enabled without an upload strategy",
    cause="With a custom backend, composer.attachments requires api.uploadStrategy.",
    remedy="Add uploadStrategy to api, or disable attachments.",
    finds=attachments_without_strategy,
    covers=("options-attachments-no-upload-strategy",),
    doc=CHATKIT_JS,
)


def options_refused(facts: Facts) -> Iterator[Found]:
    """The frame rejects the options with a message that no other rule knows."""
    refusal = _refusal(facts)
    others = (
        api_mixes_modes, api_without_domain_key, api_with_ready_secret, api_empty, api_invalid, theme_invalid,
        prompt_icon_unknown, header_shape_wrong, option_unknown, option_misspelled, option_newer_than_frame,
        option_of_wrong_type, attachments_without_strategy,
    )  # fmt: skip
    if refusal and not any(any(rule(facts)) for rule in others):
        yield Found(summary=refusal.message, evidence=refusal.evidence)


OPTIONS_REFUSED = Rule(
    id="options-refused",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The frame rejects the options",
    cause="The frame validates the options when it starts, and stays empty when they are invalid.",
    remedy="Correct the option that the message names.",
    finds=options_refused,
    doc=CHATKIT_JS,
)


def frame_left_behind(facts: Facts) -> Iterator[Found]:
    """The frame rejects every command because it failed while it started."""
    told = facts.page_errors_about(LEFT_BEHIND)
    if told and not facts.is_frame_alive:
        yield Found(summary=on_one_line(told[0].event.message), evidence=lines_of(told[:4]))


FRAME_LEFT_BEHIND = Rule(
    id="frame-left-behind",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The frame rejects every command",
    cause="The frame failed while it started, usually because of its options. It supports no commands in this state.",
    remedy="Find the first chatkit.error, and correct the option that it names.",
    finds=frame_left_behind,
    confidence=Confidence.LIKELY,
    symptom_of=(
        "api-mixes-modes",
        "api-without-domain-key",
        "api-with-ready-secret",
        "api-empty",
        "api-invalid",
        "theme-invalid",
        "prompt-icon-unknown",
        "header-shape-wrong",
        "option-unknown",
        "option-misspelled",
        "option-newer-than-frame",
        "option-of-wrong-type",
        "attachments-without-strategy",
        "options-refused",
    ),
    covers=("options-onsetoptions-not-supported",),
)


def update_refused(facts: Facts) -> Iterator[Found]:
    """A later setOptions is rejected; the widget keeps the old options."""
    told = facts.page_errors_about(LIVE)
    if told:
        yield Found(summary=on_one_line(told[0].event.message), evidence=lines_of(told[:4]))


UPDATE_REFUSED = Rule(
    id="update-refused",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="A later setOptions is rejected",
    cause="The new options are invalid. The widget keeps the old ones, and only the console reports it.",
    remedy="Correct the option that the message names. Pass the full set of options each time.",
    finds=update_refused,
    stops_mount=False,
    covers=("options-live-update-invalid",),
)


def api_url_change_ignored(facts: Facts) -> Iterator[Found]:
    """The page changed the backend's address after the widget was created."""
    told = facts.console_about(pattern=URL_CHANGED)
    if told:
        yield Found(summary=on_one_line(told[0].event.text), evidence=lines_of(told[:4]))


API_URL_CHANGE_IGNORED = Rule(
    id="api-url-change-ignored",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="A changed api.url is ignored",
    cause="The backend's address is fixed when the widget is created.",
    remedy="Create the element when the final address is known.",
    finds=api_url_change_ignored,
    stops_mount=False,
    covers=("options-api-url-change-ignored",),
)


def handler_missing(facts: Facts) -> Iterator[Found]:
    """The workflow calls a tool or an action that the page does not handle."""
    errors, uncaught = facts.errors_about(NO_HANDLER), facts.page_errors_about(NO_HANDLER)
    if errors or uncaught:
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(summary=on_one_line(said), evidence=(*(e.seq for e in errors), *lines_of(uncaught)))


HANDLER_MISSING = Rule(
    id="handler-missing",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="A tool call or widget action has no handler",
    cause="The workflow calls a client tool or a widget action, and the options have no handler for it.",
    remedy="Add onClientTool, or widgets.onAction, to the options.",
    finds=handler_missing,
    stops_mount=False,
    covers=("options-client-tool-handler-missing",),
    doc=CHATKIT_JS,
)


def metadata_of_wrong_shape(facts: Facts) -> Iterator[Found]:
    """The page's metadata is neither an object nor null."""
    errors, uncaught = facts.errors_about(METADATA), facts.page_errors_about(METADATA)
    if errors or uncaught:
        said = errors[0].message if errors else uncaught[0].event.message
        yield Found(summary=on_one_line(said), evidence=(*(e.seq for e in errors), *lines_of(uncaught)))


METADATA_OF_WRONG_SHAPE = Rule(
    id="metadata-of-wrong-shape",
    layer=Layer.OPTIONS,
    owner=Party.APP,
    title="The page's metadata is neither an object nor null",
    cause="addMetadataToRequest returned a list, a string or undefined.",
    remedy="Return an object or null.",
    finds=metadata_of_wrong_shape,
    stops_mount=False,
    covers=("options-metadata-hook-shape",),
)


def _listed(keys: frozenset[str] | None) -> str:
    return ", ".join(sorted(keys or ()))


RULES = (
    API_MIXES_MODES,
    API_WITHOUT_DOMAIN_KEY,
    API_WITH_READY_SECRET,
    API_EMPTY,
    API_INVALID,
    THEME_INVALID,
    PROMPT_ICON_UNKNOWN,
    HEADER_SHAPE_WRONG,
    OPTION_UNKNOWN,
    OPTION_MISSPELLED,
    OPTION_NEWER_THAN_FRAME,
    OPTION_OF_WRONG_TYPE,
    ATTACHMENTS_WITHOUT_STRATEGY,
    OPTIONS_REFUSED,
    FRAME_LEFT_BEHIND,
    UPDATE_REFUSED,
    API_URL_CHANGE_IGNORED,
    HANDLER_MISSING,
    METADATA_OF_WRONG_SHAPE,
)
