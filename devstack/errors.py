"""The one error of the stack that is shown as a sentence, not as a traceback."""


class StackError(RuntimeError):
    """What was wrong, where, and how to repair it; the message ends with `Repair: ...`."""
