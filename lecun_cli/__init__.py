"""Initial weights in a file."""

from lecun_cli._version import __version__

__all__ = ["__version__"]
