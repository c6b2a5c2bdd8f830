"""The one exception that is meant for people."""


class UserError(Exception):
    """A problem that the user can mend.

    The message is a sentence: what went wrong, where, what was found, what was expected, what to do.
    The command line prints it without a traceback and exits with status 2.
    """
