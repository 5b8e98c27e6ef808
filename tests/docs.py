"""What the documentation shows that can be wrong: commands, Python, configuration, names of rules.

In: Markdown. Out: its code, by kind, each with the line it begins on.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
PROGRAMS = (".venv/bin/chatkit-harness", "chatkit-harness", "make", "python", "git", "cd", "pip", "docker")
INLINE = re.compile(rf"`((?:{'|'.join(map(re.escape, PROGRAMS))}) [^`\n]+)`")
# What differs from run to run in a line of output, what a page cut out of it, and how it is spaced.
VARYING = re.compile(r"https?://\S+|\[(?:lines?|hops?) [^\]]*\]|\S*…\S*|\b[\w.:-]*\d[\w.:-]*|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One piece of code in a page."""

    page: str
    line: int
    language: str  # "python", "toml", "yaml", …; "" for commands and output; "inline" for a command in a sentence
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    """Yield the code of all pages."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            yield _block(path, text, match.start(), match[1], match[2])
        plain = FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
        for match in INDENTED.finditer(plain):
            yield _block(path, plain, match.start(), "", re.sub("^ {4}", "", match[0], flags=re.MULTILINE))
        for match in INLINE.finditer(plain):
            yield _block(path, plain, match.start(), "inline", match[1])


def _block(path: Path, text: str, start: int, language: str, code: str) -> Block:
    line = text.count("\n", 0, start) + 1
    return Block(page=path.relative_to(ROOT).as_posix(), line=line, language=language, text=code)


def commands_in(text: str) -> Iterator[str]:
    """Yield the lines that a person would type: one command each, without what follows a number sign."""
    for line in text.splitlines():
        command = re.split(r"\s+(?:#|\|\|) ?", line.strip().removeprefix("- run: "))[0]
        if command.split(" ")[0] in PROGRAMS:
            yield command


def check_command(command: str) -> None:
    """Raise click's error, or AssertionError, for a command that would not be understood."""
    program, *arguments = shlex.split(command)
    if program == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert {word for word in arguments if "=" not in word} <= targets, command
    elif program == "python":
        assert (ROOT / arguments[0]).is_file(), f"{command}: there is no file {arguments[0]}"
    elif program.endswith("chatkit-harness"):
        name, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
        assert name in cli.commands, f"{command}: there is no command {name!r}"
        if rest:  # a name alone, in a sentence, is no call
            cli.commands[name].make_context(name, rest, parent=click.Context(cli))


def fixed_words(shown: str) -> re.Pattern[str]:
    """Return what finds a shown line in real output: its words in their order, whatever ports, times, numbers and cuts there are."""
    words = VARYING.split(shown)
    return re.compile(".{0,300}?".join(re.escape(word) for word in words if word))


def missing_lines(shown: str, output: str) -> list[str]:
    """Return the lines of a shown output that the real one has not."""
    said = " ".join(output.split())
    return [line for line in shown.splitlines() if not fixed_words(line).search(said)]
