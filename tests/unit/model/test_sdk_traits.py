"""What an SDK can do, read from scripts: the stand-in's, minified ones, and ones that say nothing."""

from __future__ import annotations

import pytest

from harness.model.sdk_generations import FRAME_EVENTS, LOG_LINES, OPTIONS, SdkTraits
from harness.model.sdk_traits import traits_of
from harness.servers.scenarios import fixtures_dir

STAND_IN = fixtures_dir() / "sdk"
LOADER = (STAND_IN / "deployments/chatkit/chatkit.js").read_text(encoding="utf-8")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (STAND_IN / "assets/ck1").glob("*.js")}
CHECK = '.check(o(e=>!("url"in e.api),"When attachments are enabled, uploadStrategy must be provided in options.api."))'
MINIFIED = (
    "const x={api:1},B=G('[ChatKitMethod]',{error:e=>`Expected function, received ${e.input}`}),"
    'H=z({enabled:M(V()),title:M(z({text:M(d())}))}),a$=x3(z({label:d("Say it, { please }"),icon:M(N)})),'
    "C=z({url:d(),fetch:M(B)}),D=z({getClientSecret:B}),E=z({anonToken:d()}),"
    f"R=z({{api:lo([C,D,E]),header:M(H),prompts:M(a$),theme:M(lo([G('light'),z({{radius:M(o(['pill','round']))}})]))}}){CHECK};"
)


def test_the_stand_in_is_known() -> None:
    """It takes every option that is known, and has the events and log lines of the frame of June 2026."""
    traits = traits_of(LOADER, SCRIPTS)
    assert set(traits.options) == set(OPTIONS)
    assert set(traits.events) == FRAME_EVENTS
    assert traits.beyond == ("commands", "commands.enabled", "commands.onSearch", "commands.onSelect")
    assert traits.without == ()
    assert traits.told == "another one than the frame of June 2026: with commands"


def test_minified_scripts_are_read() -> None:
    """Names are followed to the objects that they stand for; what no page may pass, texts and checks are no options."""
    options = traits_of("", {"a.js": "no schema", "b.js": MINIFIED}).options
    assert options == (
        "api", "api.fetch", "api.getClientSecret", "api.url", "header", "header.enabled", "header.title", "header.title.text",
        "prompts", "prompts.icon", "prompts.label", "theme", "theme.radius",
    )  # fmt: skip


def test_events_are_those_that_the_loader_passes_on() -> None:
    """Not those that it denies, which stand in a list of their own."""
    lists = (
        'q=["command.setOptions","event.ready","event.thread.load.start","error.StreamError"],R=["event.history.open"]'
    )
    assert traits_of(lists, {}).events == ("ready", "thread.load.start")


@pytest.mark.parametrize("cut", [CHECK, "api:lo", ",prompts:M(a$)", "x3("])
def test_scripts_of_another_form_give_nothing_wrong(cut: str) -> None:
    """Whatever is missing in them, or was cut off, every name that is found is an option of theirs."""
    known = set(traits_of("", {"b.js": MINIFIED}).options)
    assert set(traits_of("", {"b.js": MINIFIED.replace(cut, "", 1)}).options) <= known
    assert set(traits_of("", {"b.js": MINIFIED[: len(MINIFIED) // 2]}).options) == set()


def test_a_generation_has_a_name() -> None:
    """That of June 2026 exactly, that of the types by what they added, others by their difference."""
    options = tuple(sorted(path for path, option in OPTIONS.items() if option.is_in_frame))
    june = SdkTraits(options=options, events=tuple(FRAME_EVENTS), log_lines=LOG_LINES)
    assert (june.told, june.beyond, june.without) == ("as the frame of June 2026", (), ())
    august = SdkTraits(
        options=tuple(OPTIONS), events=(*FRAME_EVENTS, "history.open", "history.close"), log_lines=LOG_LINES
    )
    assert august.told == "as the types of 1.9.0, or newer"
    older = SdkTraits(options=options[:-1], events=tuple(FRAME_EVENTS), log_lines=("app.init",))
    assert older.told.startswith(
        "another one than the frame of June 2026: without widgets.onAction, log composer.ready"
    )
    assert "widgets.onAction" in older.without
    assert "log composer.ready" in older.without
    assert SdkTraits().told.startswith("unknown")
