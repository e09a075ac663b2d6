"""One error tree. Every message says what, where, found, expected and how to fix it."""

from __future__ import annotations


class TamfluxError(Exception):
    """Base of all errors that a user can act on.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    file, variable, found, expected, fix : optional
        Where it is, what was found, what was expected, and the remedy. Given ones are
        appended to the message, one per line, in this order.
    """

    def __init__(self, what, *, file=None, variable=None, found=None, expected=None, fix=None):
        self.what = what
        self.details = {
            "file": file,
            "variable": variable,
            "found": found,
            "expected": expected,
            "fix": fix,
        }
        lines = [
            f"  {name}: {_visible(str(value))}"
            for name, value in self.details.items()
            if value is not None
        ]
        super().__init__("\n".join([what, *lines]))

    def __reduce__(self):  # keeps the details when a worker process raises it
        return _rebuild, (type(self), self.what, self.details)


def _visible(text: str) -> str:
    """Control characters as escapes: a hostile file name must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def _rebuild(cls, what, details):
    return cls(what, **details)


class ConfigError(TamfluxError):
    """The configuration contradicts itself or the data."""


class InputError(TamfluxError):
    """A raw file of a provider is damaged or is not what it should be."""


class DownloadError(TamfluxError):
    """A provider refused a download, or did not deliver it whole."""


class ContractError(TamfluxError):
    """A file between two stages does not keep its contract (see docs/architecture.md)."""


class TrainingError(TamfluxError):
    """Training data or a training run is unusable."""
