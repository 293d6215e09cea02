"""Small files that others may have put in place: a pipe, a device or a file without end holds nobody up."""

import errno
import os
import stat
from pathlib import Path


def regular(path: Path, limit: int) -> os.stat_result:
    """What is known of a file of at most `limit` bytes. Raises OSError, also for what is no such file."""
    return _small_enough(path.stat(), limit)


def read_small(path: Path, limit: int) -> bytes:
    """The content, if it has at most `limit` bytes. Raises OSError as `regular` does."""
    # Without O_NONBLOCK opening a pipe waits for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _small_enough(os.fstat(descriptor), limit)
        content = file.read(limit + 1)  # files of /proc say that they have 0 bytes
    if len(content) > limit:
        raise _too_large(limit)
    return content


def _small_enough(about: os.stat_result, limit: int) -> os.stat_result:
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if about.st_size > limit:
        raise _too_large(limit)
    return about


def _too_large(limit: int) -> OSError:
    return OSError(errno.EFBIG, f"longer than {limit} bytes")
