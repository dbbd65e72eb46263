"""The arithmetics as the installed release of PyTorch has them."""

from importlib.metadata import version

from qdbg.core.versions import arithmetics, release_of

HERE = arithmetics(release_of(version("torch")))
"""By name."""
