"""What a page said is shown, and never obeyed: on terminals, in Markdown, in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.texts import first_line, for_terminal, in_json, markdown, one_line, visible, with_texts

SHOWN = {
    "an escape sequence": ("a\x1b[2Jb", r"a\x1b[2Jb"),
    "one byte that does the same": ("a\x9b2Jb", r"a\x9b2Jb"),
    "a title for the window": ("\x1b]0;evil\x07", r"\x1b]0;evil\x07"),
    "back to the line's beginning": ("failed\rpassed", r"failed\x0dpassed"),
    "backspaces": ("x\b\x7f", r"x\x08\x7f"),
    "lines of Windows": ("a\r\nb", "a\nb"),
    "what else ends lines": ("a\x0bb\x0cc\x85d\u2028e\u2029f", r"a\x0bb\x0cc\x85d\u2028e\u2029f"),
    "another direction": ("exe.\u202egnp \u2066x\u2069 \u200f\u061c", r"exe.\u202egnp \u2066x\u2069 \u200f\u061c"),
    "what takes no room": ("a\u200bb\ufeffc\u2060d", r"a\u200bb\ufeffc\u2060d"),
    "hidden letters": ("a\U000e0041", r"a\U000e0041"),
    "a zero byte": ("a\0b", r"a\x00b"),
    "ordinary text": ("Ünïcödé 漢字 👩\u200d💻 «x»\tand\nmore", "Ünïcödé 漢字 👩\u200d💻 «x»\tand\nmore"),
}


@pytest.mark.parametrize(("text", "expected"), SHOWN.values(), ids=SHOWN.keys())
def test_what_is_obeyed_is_shown_as_an_escape(text: str, expected: str) -> None:
    """Terminals, editors and viewers do as these say; everything else stays as it is."""
    assert visible(text) == expected
    assert visible(expected) == expected


def test_a_text_on_one_line_begins_no_other() -> None:
    """A forged line would look like one of ours."""
    assert one_line("one\n  bundle:    /etc\r\n\ttwo\u2028three") == r"one bundle: /etc two\u2028three"
    assert first_line("\n\n one\ntwo") == "one"
    assert first_line("") == ""


def test_colours_of_others_are_taken_off_for_a_terminal() -> None:
    """Playwright's own; whatever else begins with an escape is shown."""
    assert for_terminal("\x1b[31mred\x1b[0;1m \x1b[2J") == r"red \x1b[2J"


MARKED = {
    "a heading": ("a\n# MOUNTED", "a # MOUNTED"),
    "markup": ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)>"),
    "a comment that hides what follows": ("<!--", r"\<!--"),
    "a picture from elsewhere": ("![](https://evil.example/x.png)", r"!\[\](https://evil.example/x.png)"),
    "a link": ("[fixed](https://evil.example)", r"\[fixed\](https://evil.example)"),
    "code without an end": ("```\n", r"\`\`\`"),
    "an escape of the escape": (r"\<b>", r"\\\<b>"),
    "a placeholder": ("<redacted:client_secret:1> <redacted:x>", r"<redacted:client_secret:1> \<redacted:x>"),
    "names with underscores": ("client_secret of a*b", "client_secret of a*b"),
}


@pytest.mark.parametrize(("text", "expected"), MARKED.values(), ids=MARKED.keys())
def test_a_text_in_markdown_is_nothing_but_text(text: str, expected: str) -> None:
    """It is read by people on web pages, and by coding agents."""
    assert markdown(text) == expected


@given(st.text())
def test_json_means_the_same_and_obeys_nothing(text: str) -> None:
    """Any text comes back as it was."""
    written = in_json(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(written) == {"a": text}
    assert visible(written) == written


@given(st.text(), st.text(alphabet="<>[]`\\!#a\n\x1b\u202e"))
def test_nothing_is_left_to_obey(text: str, signs: str) -> None:
    """In any text, wherever the signs stand; and no line break in what is to be one line."""
    for shown in (visible(text + signs), one_line(signs + text), markdown(signs)):
        assert visible(shown) == shown
    assert "\n" not in one_line(signs + text)
    left = markdown(signs).replace("\\\\", "")
    assert all(left[at - 1] == "\\" for at, sign in enumerate(left) if sign in "<[]`")


def test_every_text_of_a_value_is_changed() -> None:
    """In tuples and in values inside of it; what is no text stays."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Inner:
        text: str

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Outer:
        inner: tuple[Inner, ...]
        names: tuple[str, ...]
        number: int
        other: Inner | None

    value = Outer(inner=(Inner(text="a"),), names=("b", "c"), number=1, other=None)
    assert with_texts(value, str.upper) == Outer(inner=(Inner(text="A"),), names=("B", "C"), number=1, other=None)
