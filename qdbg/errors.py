"""The errors a user can meet. Each says what was expected, what was found and what to do."""


class QdbgError(Exception):
    """Bad input or usage: shown as one or two plain lines on stderr, exit status 2.

    `found` is the sentence about what is wrong, `expected` says what would have been right,
    `remedy` what the user can do. Empty parts are left out of the message.
    """

    printed = ""
    """What a process that was run for it printed before that: the user's code, or PyTorch's."""

    def __init__(self, found: str, *, expected: str = "", remedy: str = "") -> None:
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole text: `found (expected …)` on the first line, the remedy on the second."""
        first = f"{self.found} (expected {self.expected})" if self.expected else self.found
        return f"{first}\n{self.remedy}" if self.remedy else first


class ModelError(QdbgError):
    """The model file is damaged, hostile or of a kind that qdbg does not read."""


class ForwardError(QdbgError):
    """The order of the layers is unknown, or `forward` uses what the interpreter does not allow."""


class SampleError(QdbgError):
    """The input sample does not fit the model."""


class CaptureError(QdbgError):
    """PyTorch could not run the model under the engine and CPU level that were asked for."""


class GoldenError(QdbgError):
    """The user's golden file cannot be read, does not fit the model, or its own code failed."""


class SessionError(QdbgError):
    """A session file is damaged, foreign or of another version."""


class CommandError(QdbgError):
    """A debugger command is unknown, or its argument does not fit this run."""
