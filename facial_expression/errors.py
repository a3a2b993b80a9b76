"""The one kind of error that users can mend."""


class UserError(ValueError):
    """What is wrong with an input, a file or a setting, where it is, and what to do about it.

    The stages and the command line show its message as one line. Every other exception is a fault of the program and
    keeps its traceback.
    """
