"""Moviola's shared library: the words, the wire and the ports on which all services stand."""

from importlib.metadata import version

__version__ = version("moviola")
