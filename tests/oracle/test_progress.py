"""What the self-test draws next."""

from qdbg.selftest.draw import Draw
from qdbg.selftest.progress import LEAST_CASES, LONG, MILLION, SOME, Progress


def drawn(progress, name, compared, cases=1):
    for _ in range(cases):
        progress.add(name, 0.001, compared)


def test_cases_are_of_any_size_until_each_generator_has_drawn_its_least():
    progress = Progress(["relu", "add"], 1000.0)
    drawn(progress, "relu", {"relu": 10}, LEAST_CASES)
    assert progress.choose() == "add"
    assert progress.large("add") == 0


def test_most_cases_are_long_while_an_op_is_behind_and_none_when_all_have_their_million():
    progress = Progress(["relu"], 1000.0)
    drawn(progress, "relu", {"relu": 10}, LEAST_CASES)
    sizes = []
    for _ in range(2 * SOME):
        assert progress.choose() == "relu"
        sizes.append(progress.large("relu"))
        drawn(progress, "relu", {"relu": 10})
    assert sorted(sizes) == [0] * 2 + [LONG] * (2 * SOME - 2)
    drawn(progress, "relu", {"relu": MILLION})
    assert progress.choose() is None


def test_a_long_draw_has_so_many_times_as_many_elements():
    usual = [Draw(seed, "fbgemm", "avx2", large=1).lengthened((1,))[0] for seed in range(20)]
    long = [Draw(seed, "fbgemm", "avx2", large=LONG).lengthened((1,))[0] for seed in range(20)]
    assert all(LONG * n <= m <= LONG * (n + 1) for n, m in zip(usual, long, strict=True))
