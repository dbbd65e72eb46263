"""What is computed once for each object: by several threads at a time."""

import threading

from qdbg.core.once import cached_property

PATIENCE = 10
"""Seconds after which what a thread waits for counts as never coming."""


class Worked:
    def __init__(self, work):
        self.work = work

    @cached_property
    def value(self):
        """What the work gives."""
        return self.work()


def test_it_is_computed_once():
    times = []
    worked = Worked(lambda: times.append(1) or len(times))
    assert (worked.value, worked.value) == (1, 1)
    assert Worked.value.__doc__ == "What the work gives."


def test_one_object_can_be_asked_while_a_thread_computes_the_same_of_another():
    """As the screen is, while a thread that opens a file waits for it to show how far it is."""
    begun, asked = threading.Event(), threading.Event()

    def work():
        begun.set()
        return asked.wait(PATIENCE)

    slow = Worked(work)
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    assert begun.wait(PATIENCE)
    assert Worked(lambda: 3).value == 3
    asked.set()
    thread.join()
    assert slow.value
