"""The lock, its parts, and the two commands: what a bare machine meets first."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEV_TOOLS = {"pytest", "mypy", "ruff", "hypothesis", "moto", "testcontainers", "import-linter", "imageio-ffmpeg"}
TARGETS = {
    "help",
    "install",
    "run",
    "test",
    "test-slow",
    "fuzz",
    "check",
    "bench",
    "inputs",
    "up",
    "down",
    "lock",
    "fmt",
    "clean",
}


@pytest.fixture(scope="module")
def lock_part() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock_part", ROOT / "deploy" / "lock_part.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def printed_part(*extras: str) -> str:
    command = [sys.executable, str(ROOT / "deploy" / "lock_part.py"), *extras]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def names(part: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", part, re.MULTILINE))


def test_embedded_part_has_what_runs_and_no_tool_of_the_developers() -> None:
    part = names(printed_part("embedded", "build"))

    assert {"aiohttp", "av", "transitions", "typer", "rich", "hatchling", "editables", "pydantic-core"} <= part
    assert not part & DEV_TOOLS


def test_a_single_service_gets_only_its_own_part() -> None:
    api = names(printed_part("api"))

    assert {"aiohttp", "asyncpg", "prometheus-client", "greenlet"} <= api
    assert not api & {"av", "transitions", "typer", "hatchling"}


def test_all_extras_together_are_the_whole_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert printed_part(*project["optional-dependencies"]) == (ROOT / "requirements.lock").read_text()


def test_markers_and_hashes_stay_with_their_package() -> None:
    part = printed_part("embedded")

    assert re.search(r"^colorama==\S+ ; sys_platform == 'win32' \\\n    --hash=sha256:", part, re.MULTILINE)
    assert part.count("==") <= part.count("--hash=sha256:")


def test_unknown_extra_is_one_line_and_status_2() -> None:
    command = [sys.executable, str(ROOT / "deploy" / "lock_part.py"), "nonsense"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30)

    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch(r"lock_part\.py: pyproject\.toml has no extra 'nonsense'; it has .*\n", result.stderr)


def test_extras_that_name_each_other_end(lock_part: ModuleType) -> None:
    project = {
        "name": "Some.Thing",
        "dependencies": ["one>=1"],
        "optional-dependencies": {"a": ["some-thing[b]", "two"], "b": ["some_thing[a]", "Three.x[y]>2; os_name=='nt'"]},
    }

    assert lock_part.wanted_names(project, ["a"]) == {"one", "two", "three-x"}


def test_what_a_dependency_needs_follows_it(lock_part: ModuleType) -> None:
    lock = lock_part.read_lock(
        "a==1 \\\n    --hash=sha256:00\n    # via project (pyproject.toml)\n"
        "b==1 ; os_name == 'nt' \\\n    --hash=sha256:01\n    # via\n    #   a\n    #   z\n"
        "b==2 ; os_name != 'nt' \\\n    --hash=sha256:02\n    # via a\n"
        "c==1 \\\n    --hash=sha256:03\n    # via b\n"
        "z==1 \\\n    --hash=sha256:04\n    # via project (pyproject.toml)\n"
    )

    assert [one.text.partition(" ")[0] for one in lock_part.part_of(lock, {"a"})] == ["a==1", "b==1", "b==2", "c==1"]


def test_lock_that_lacks_a_dependency_is_refused(lock_part: ModuleType) -> None:
    with pytest.raises(lock_part.StaleLock, match="lacks newcomer"):
        lock_part.part_of([], {"newcomer"})


def test_make_alone_explains_each_target() -> None:
    result = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)

    explained = dict(re.findall(r"^  make (\S+) +(\S.*)$", result.stdout, re.MULTILINE))
    assert set(explained) == TARGETS


def test_old_python_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)

    result = subprocess.run(
        [ROOT / "deploy" / "make_venv", tmp_path / "venv"],
        env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert result.returncode == 2
    assert result.stderr == f"Moviola needs Python 3.11 or newer; {old} is Python 3.9.2.\n"
    assert not (tmp_path / "venv").exists()


def test_packaging_names_no_index() -> None:
    files = ["Makefile", "pyproject.toml", "requirements.lock", ".ci/run"]
    files += [str(path.relative_to(ROOT)) for path in (ROOT / "deploy").iterdir() if path.is_file()]

    for name in files:
        assert not re.search(r"https?://(?!127\.0\.0\.1)", (ROOT / name).read_text()), name


def test_installed_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert version("moviola") == project["version"]


def test_python_without_venv_is_told_in_one_line_what_to_install(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sh", "id", "rm"):
        (commands / name).symlink_to(shutil.which(name) or name)
    half = commands / "python3"
    half.write_text(
        '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; *version_info\\[*) echo 3.11 ;; esac\n'
        # Only the check of the version, and the question which it is, succeed.
    )
    half.chmod(0o755)

    result = subprocess.run(
        [ROOT / "deploy" / "make_venv", tmp_path / "venv"],
        env={"PATH": str(commands)},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "apt-get install python3.11-venv" in result.stderr
