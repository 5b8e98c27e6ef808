"""The wheel alone, in an empty virtual environment and an empty folder: everything that is promised works there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands import TIMEOUT_S, clean_environ

CHECKOUT = Path(__file__).parents[2]
CONFIG = """
[projects.local]
page = "/test-chatkit"
scenario = "healthy"
entries = { topics = { click = "Topic Generation" } }
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds our wheel, and what it depends on, and no checkout."""
    root = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(root), "."]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True, timeout=TIMEOUT_S)
    venv.create(root / "env", with_pip=False)
    packages = next((root / "env" / "lib").glob("python3.*/site-packages"))
    with zipfile.ZipFile(next(root.glob("*.whl"))) as wheel:
        wheel.extractall(packages)
    # The dependencies are this environment's: a folder on the path, whose own .pth files (our editable install) stay unread.
    packages.joinpath("dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return root / "env" / "bin" / "python"


@pytest.fixture
def command(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `chatkit-harness …` of the installed wheel in an empty folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(installed), "-m", "harness.cli", *arguments],
            cwd=tmp_path,
            env=clean_environ(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    return run


def test_gate_works_with_a_config_of_five_lines(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """The packaged page, stand-in and built-in checks are all there."""
    tmp_path.joinpath("playwright.config.toml").write_text(CONFIG, encoding="utf-8")
    done = command("gate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "built-in::embed[topics]" in done.stdout
    assert "gate: passed" in done.stdout
    assert "The test passed" in (tmp_path / "test-results" / "report.html").read_text(encoding="utf-8")
    assert command("init").returncode == 0


def test_doctor_and_config_work_without_a_file(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Nothing has to be configured."""
    done = command("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "ready"
    assert "mount_timeout_ms = 15000  # default" in command("config").stdout


def test_serve_prints_the_url_that_check_can_judge_and_stops_on_ctrl_c(
    installed: Path, command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """`serve` runs until it is interrupted; `check` judges its page."""
    serve = subprocess.Popen(
        [str(installed), "-m", "harness.cli", "serve", "--scenario", "frame-400"],
        cwd=tmp_path,
        env=clean_environ() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serve.stdout is not None
    try:
        url = next(line for line in serve.stdout if line.startswith("page:")).split()[1]
        done = command("check", url, "--click", "Topic Generation")
    finally:
        os.kill(serve.pid, signal.SIGINT)
        rest = serve.communicate(timeout=TIMEOUT_S)[0]
    assert done.returncode == 1, done.stdout + done.stderr
    assert "(frame-refused)" in done.stdout
    assert serve.returncode == 0
    assert rest.splitlines()[-1] == "stopped"
