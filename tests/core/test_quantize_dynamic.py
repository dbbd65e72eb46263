"""What quantizes by its own range: the scale that PyTorch chose is compared with its rule's."""

import numpy as np
import pytest

from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.ops import registry

OP = registry()["quantize_dynamic"]


def test_another_scale_than_the_rule_gives_is_not_simulated():
    values = {k: np.asarray(v) for k, v in OP.examples[0].operands.items()}
    with pytest.raises(NotSimulated, match=r"chose the scale 0\.25 .* its rule gives 0\.5 and 2"):
        OP.stages(ARITHMETICS["fbgemm-avx2"], values | {"chosen_scale": np.asarray(0.25)})


@pytest.mark.parametrize(
    ("engine", "scale", "zero_point"), [("fbgemm", 1.0, 1), ("qnnpack", 127 / 255, 2)]
)
def test_qnnpack_knows_no_reduced_range(engine, scale, zero_point):
    values = {k: np.asarray(v) for k, v in OP.examples[0].operands.items()}
    chosen = {"chosen_scale": np.asarray(scale), "chosen_zp": np.asarray(zero_point)}
    x = np.array([-1.0, 0.5, 126.0], np.float32)
    values |= {**chosen, "x": x, "reduced": np.asarray(True)}
    for step in OP.stages(ARITHMETICS[f"{engine}-avx2"], values):
        values[step.output] = np.asarray(step.run(values))
    assert values["y_q"].tolist() == ([0, 2, 127] if engine == "fbgemm" else [0, 3, 255])
