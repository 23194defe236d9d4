"""The errors that a user can meet: one sentence each, in the form "rule, what came, where, the way out"."""


class LandmixError(Exception):
    """Something that the user can understand went wrong while working (exit code 1)."""


class UsageError(LandmixError):
    """The command line or the configuration is wrong; nothing was read or written (exit code 2)."""


class ShapeError(UsageError, ValueError):
    """An array has another shape than is needed."""


class Terminated(BaseException):
    """SIGTERM arrived (exit code 143).

    Not an `Exception`, like `KeyboardInterrupt`: a library that swallows errors must not swallow this one.
    """


class Stopped(LandmixError):  # noqa: N818 - like Terminated, it is no mistake
    """Work that was told to stop, because something else failed or the user interrupted it."""

    def __init__(self) -> None:
        super().__init__("stopped: what is finished stays for the next run")
