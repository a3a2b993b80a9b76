"""Errors that the user can fix."""


class UserError(ValueError):
    """What is wrong with an input, a file or a setting, where it is, and what to do about it.

    The stages and the web app print the message without a traceback. Any other exception is a bug and keeps its
    traceback.
    """
