"""Float32 sums have ATen's last bits, whatever the axes and their order in memory are."""

import json

from tests.forked import printed


def test_sums_over_any_axes_are_atens_bit_for_bit():
    said = printed("avx2", "tests.oracle.float_sums", 400)
    compared, differing, row_by_row = json.loads(said)
    assert compared > 100_000
    assert not differing
    assert row_by_row > compared // 10
