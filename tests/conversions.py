"""PyTorch's conversions, without what takes most of their time and changes no layer."""

import traceback
from contextlib import contextmanager
from unittest import mock


@contextmanager
def no_stack_traces():
    """As long as this lasts, torch.fx notes none: for the first it imports torch._inductor."""
    from torch.utils._traceback import CapturedTraceback  # noqa: PLC0415 - only where torch runs

    with mock.patch.object(CapturedTraceback, "summary", lambda self: traceback.StackSummary()):
        yield


@contextmanager
def no_search():
    """As long as this lasts, a histogram gives the ends of what was observed: the search for better
    ones takes longer than all the rest."""
    from torch.ao.quantization import HistogramObserver  # noqa: PLC0415 - only where torch runs

    search = "_non_linear_param_search"
    with mock.patch.object(HistogramObserver, search, lambda self: (self.min_val, self.max_val)):
        yield
