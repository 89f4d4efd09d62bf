"""The desktop application and the command line: the only package that knows Qt."""

__version__ = "0.1.0"
