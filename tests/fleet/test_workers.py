"""Worker processes leave ctrl+c to the process that started them."""

import signal
from functools import partial

from qdbg.fleet.workers import Workers


def test_workers_do_not_hear_ctrl_c_and_this_process_does():
    blocked = partial(signal.pthread_sigmask, signal.SIG_BLOCK)
    masks = list(Workers(2).each(blocked, [(), ()]))
    assert [signal.SIGINT in mask for mask in masks] == [True, True]
    assert signal.SIGINT not in blocked(())
