"""Build commands of setuptools, named in `pyproject.toml`; the package itself does not import them.

The sample specs are at the top of a clone, where people look for them, and inside an installed package. A
symbolic link would do the same, but Windows clones it as a text file.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools.command.build_py import build_py
from setuptools.command.egg_info import egg_info
from setuptools.command.sdist import sdist

_FOLDER = Path("sample_specs")
_PACKAGE_FOLDER = Path("lecun_cli") / "sample_specs"
_EXTRA_SOURCES = (
    "graft tests",
    "graft sample_specs",
    "graft .ci",
    "graft .github",
    "include CHANGELOG.md Makefile .pre-commit-config.yaml",
    "global-exclude *.py[cod] *.so",
)
"""Lines as in a `MANIFEST.in`: everything that the tests of an sdist need."""


class BuildWithSamples(build_py):  # type: ignore[misc]  # setuptools is untyped here
    """Build the package with `sample_specs/*.yaml` in `lecun_cli/sample_specs/`."""

    def run(self) -> None:
        """Copy the modules, the package data and the sample specs."""
        super().run()
        for source, copy in self._samples().items():
            self.mkpath(str(Path(copy).parent))
            self.copy_file(source, copy, preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the paths of all files in the build folder."""
        return [*super().get_outputs(include_bytecode), *self._samples().values()]

    def _samples(self) -> dict[str, str]:
        """Return the path of each copy by that of its source; empty if the install is editable."""
        if self.editable_mode:
            return {}
        folder = Path(self.build_lib) / _PACKAGE_FOLDER
        return {str(path): str(folder / path.name) for path in sorted(_FOLDER.glob("*.yaml"))}


class SourceWithTests(sdist):  # type: ignore[misc]
    """Make a source distribution that includes the tests and everything that they read."""

    def make_distribution(self) -> None:
        """Add the extra sources and write the archive."""
        for line in _EXTRA_SOURCES:
            self.filelist.process_template_line(line)
        self.filelist.sort()
        self.filelist.remove_duplicates()
        super().make_distribution()


class PortableMetadata(egg_info):  # type: ignore[misc]
    """Write metadata with a README that reads well on a package index."""

    def run(self) -> None:
        """Replace relative links and write the metadata."""
        metadata = self.distribution.metadata
        metadata.long_description = portable_readme(metadata.long_description or "")
        super().run()


def portable_readme(text: str) -> str:
    """Replace pictures and links that are relative to the repository, where an index would show broken ones.

    Args:
        text: Markdown.

    Returns:
        The Markdown with the description of each picture in italics and with plain names for links.
    """
    picture = re.compile(r'<picture>.*?<img src="(?!https?:)[^"]*" alt="([^"]*)">\s*</picture>', re.DOTALL)
    text = picture.sub(r"*Picture: \1.*", text)
    text = re.sub(r"!\[([^]]*)\]\((?!https?:)[^)]*\)", r"*Picture: \1.*", text)
    return re.sub(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)", r"`\1`", text)
