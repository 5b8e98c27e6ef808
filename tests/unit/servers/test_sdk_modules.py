"""The stand-in's frame is one file, joined from its modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.sdk_modules.join import JOINED, joined


def test_the_file_that_is_served_is_what_the_modules_come_to() -> None:
    """Who edits a module runs `make sdk`."""
    assert JOINED.read_text(encoding="utf-8") == joined()


def test_a_module_comes_after_what_it_imports_and_keeps_its_names_to_itself(tmp_path: Path) -> None:
    """Two modules may use the same name inside."""
    (tmp_path / "a.js").write_text("import { two } from './b.js';\n\nconst own = two;\nexport const one = () => own;\n")
    (tmp_path / "b.js").write_text("const own = 2;\nexport function two() { return own; }\n")
    _, second, first, last = joined(tmp_path).split("\n\n")
    assert second == "const { two } = (() => {\nconst own = 2;\nfunction two() { return own; }\nreturn { two };\n})();"
    assert first.startswith("const { one } = (() => {\nconst own = two;")
    assert last == "export { two, one };\n"


@pytest.mark.parametrize(
    "text",
    ["import * as b from './b.js';\n", "export default 1;\n", "export { a };\n", "import { a as c } from './b.js';\n"],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, text: str) -> None:
    """No module is joined into something that means something else."""
    (tmp_path / "a.js").write_text(text)
    with pytest.raises(ValueError, match=r"a\.js imports or exports in a way that cannot be joined"):
        joined(tmp_path)


def test_a_name_that_two_modules_export_is_refused(tmp_path: Path) -> None:
    """There is one list of names at the end."""
    for name in "ab":
        (tmp_path / f"{name}.js").write_text("export const same = 1;\n")
    with pytest.raises(ValueError, match="the same name"):
        joined(tmp_path)
