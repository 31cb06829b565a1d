"""Contents of a clone, a source distribution and an installed package."""

from __future__ import annotations

import ast
import graphlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import lecun_cli

ROOT = Path(__file__).parents[1]


def test_a_clone_has_no_symbolic_links() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    if listing.returncode:
        pytest.skip("not a Git clone")
    assert [line for line in listing.stdout.splitlines() if line.startswith("120000")] == []


def test_the_newest_version_of_the_changelog_is_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [version for version in versions if version != "Unreleased"]
    assert released[0] == lecun_cli.__version__


def test_every_module_that_the_package_names_in_strings_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    commands = project["tool"]["setuptools"]["cmdclass"].values()
    modules = [command.rpartition(".")[0] for command in commands]
    modules += [target.partition(":")[0] for target in project["project"]["scripts"].values()]
    modules += [
        extension["name"].rpartition(".")[0] for extension in project["tool"]["setuptools"]["ext-modules"]
    ]
    for module in modules:
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir(), module


def test_a_package_index_shows_the_readme_without_relative_links() -> None:
    pytest.importorskip("setuptools")
    from lecun_cli._build import portable_readme

    text = portable_readme((ROOT / "README.md").read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)", text)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert text.count("*Picture: ") == (ROOT / "README.md").read_text(encoding="utf-8").count("alt=") + 2


SCRIPT = "from lecun_cli.spec.samples import sample_names; print(*sample_names())"


@pytest.mark.parametrize("folder", ["sample_specs", "lecun_cli/sample_specs"])
def test_samples_are_found_in_a_clone_and_in_an_installed_package(folder: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "lecun_cli", tmp_path / "lecun_cli", ignore=shutil.ignore_patterns("sample_specs"))
    shutil.copytree(ROOT / "sample_specs", tmp_path / folder)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.split() == sorted(path.stem for path in (ROOT / "sample_specs").glob("*.yaml"))


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:lecun_cli|tests|\.github)/[\w./-]*)`", text)
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def imported_modules(path: Path) -> set[str]:
    """Return the modules that a file imports, also inside functions, but not only for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def test_folders_import_each_other_without_circles() -> None:
    package = ROOT / "lecun_cli"
    imports: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        folder = path.relative_to(package).parts[0].removesuffix(".py")
        modules = (module.split(".") for module in imported_modules(path) if module.startswith("lecun_cli."))
        imports.setdefault(folder, set()).update(parts[1] for parts in modules if parts[1] != folder)
    graphlib.TopologicalSorter(imports).prepare()  # raises an error that names a circle
