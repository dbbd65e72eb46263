"""A disk that takes nothing more, for this process."""

import resource
from contextlib import contextmanager


@contextmanager
def full_disk():
    """Files may be made and nothing be written to them, whoever the user is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
