"""Exceptions that are meant for people, and which errors of the system pass by themselves or by making room."""

import errno

# What a disk, a network file system or a full machine answers for a while: no fault of the data that is read.
PASSING = frozenset(
    getattr(errno, name)
    for name in (
        "EIO", "ESTALE", "EACCES", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT", "EROFS", "EAGAIN",
        "EINTR", "ETIMEDOUT", "ENOTCONN", "ECONNRESET", "EHOSTDOWN", "EREMOTEIO", "EBUSY", "ENOLCK",
    )
    if hasattr(errno, name)
)  # fmt: skip


class UserError(Exception):
    """A problem that the user can mend.

    The message is a sentence: what went wrong, where, what was found, what was expected, what to do.
    The command line prints it without a traceback and exits with status 2.
    """


class ChangedFile(Exception):
    """A file is not the one that was written: a fault of the disk, or somebody's change.

    No `UserError`: it fails the whole job, where a clip or an utterance might be left out otherwise.
    """


def raise_if_passing(error: BaseException, path: object = "") -> None:
    """Raise an error of the system that says nothing about the data, so that the job fails and is tried again.

    Call it before a clip or file is given up for what its reader raised.

    Args:
        error: what was raised; errors of other kinds (undecodable data) are let through.
        path: of the file, for the message.

    Raises:
        OSError: of the same number, naming the file.
    """
    number = getattr(error, "errno", None)
    if number in PASSING:
        raise OSError(number, str(getattr(error, "strerror", None) or error), str(path)) from error
