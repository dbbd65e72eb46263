"""What else there is for such work, as multiples of the same plain quantized forward or layer.

    python -m tests.benchmark_peers

One thread, medians of processor time. `torch.ao.ns` logs every layer of ResNet-18 of the float
net and of the quantized one; `onnx.reference` (with the extra `bench`) and a loop over every
product in Python compute one convolution.
"""

import importlib.util
import statistics
import sys

import numpy as np

from tests.benchmark_nets import Net, table, timed

RUNS = 5
LAYER = {"inputs": 64, "outputs": 64, "size": 28}
SMALL = {"inputs": 16, "outputs": 16, "size": 14}


def median(work, runs=RUNS):
    """Milliseconds of the processor."""
    return statistics.median(timed(work)[0] for _ in range(runs)) * 1000


def numeric_suite(net):
    """`compare_model_outputs` of the float net and the quantized one."""
    import torch  # noqa: PLC0415 - only in the child
    from torch.ao.ns import _numeric_suite as suite  # noqa: PLC0415 - likewise

    from models import imagenet_shapes  # noqa: PLC0415 - likewise

    floating = imagenet_shapes.floating("resnet18")
    with torch.inference_mode():
        return median(lambda: suite.compare_model_outputs(floating, net.live, net.x), 3)


class Layer:
    """One convolution 3×3, padded, in PyTorch and as plain arrays."""

    def __init__(self, inputs, outputs, size):
        import torch  # noqa: PLC0415 - only in the child

        random = np.random.default_rng(1)
        self.x = random.integers(0, 128, (1, inputs, size, size)).astype(np.uint8)
        self.w = random.integers(-64, 64, (outputs, inputs, 3, 3)).astype(np.int8)
        self.layer = torch.ao.nn.quantized.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        weight = torch._make_per_tensor_quantized_tensor(torch.from_numpy(self.w), 0.01, 0)
        self.layer.set_weight_bias(weight, None)
        self.layer.scale, self.layer.zero_point = 0.5, 128
        fed = torch._make_per_tensor_quantized_tensor(torch.from_numpy(self.x), 0.02, 64)
        self.fed = fed.contiguous(memory_format=torch.channels_last)

    def plain(self):
        """PyTorch."""
        return self.layer(self.fed)

    def onnx(self):
        """QLinearConv by onnx.reference."""
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an extra
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - an extra

        held = {
            "xs": np.float32(0.02), "xz": np.uint8(64), "w": self.w, "ws": np.float32(0.01),
            "wz": np.int8(0), "ys": np.float32(0.5), "yz": np.uint8(128),
        }  # fmt: skip
        made = [numpy_helper.from_array(np.asarray(v), k) for k, v in held.items()]
        node = helper.make_node("QLinearConv", ["x", *held], ["y"], pads=[1, 1, 1, 1])
        x = helper.make_tensor_value_info("x", TensorProto.UINT8, self.x.shape)
        y = helper.make_tensor_value_info("y", TensorProto.UINT8, None)
        graph = helper.make_graph([node], "layer", [x], [y], made)
        evaluator = ReferenceEvaluator(helper.make_model(graph))
        return lambda: evaluator.run(None, {"x": self.x})

    def by_hand(self):
        """A loop over every product."""
        x = np.pad(self.x[0].astype(int) - 64, ((0, 0), (1, 1), (1, 1))).tolist()
        w, size = self.w.astype(int).tolist(), self.x.shape[-1]
        taps = [(c, i, j) for c in range(len(x)) for i in range(3) for j in range(3)]
        for own in w:
            for row in range(size):
                for column in range(size):
                    total = sum(own[c][i][j] * x[c][row + i][column + j] for c, i, j in taps)
                    min(max(round(total * 0.02 * 0.01 / 0.5) + 128, 0), 255)


def rows():
    """Name, milliseconds, and those of what it is compared with."""
    net = Net("resnet18", "fbgemm", "avx2")
    with net.torch.inference_mode():
        plain = median(net.plain)
        large, small = Layer(**LAYER), Layer(**SMALL)
        yield "torch.ao.ns compare_model_outputs, ResNet-18", numeric_suite(net), plain
        if importlib.util.find_spec("onnx") is not None:
            work = large.onnx()
            yield "onnx.reference, convolution 64→64 of 28×28", median(work, 3), median(large.plain)
        slow, quick = median(small.by_hand, 3), median(small.plain, 50)
        yield "a loop over each product, convolution 16→16 of 14×14", slow, quick


def main(arguments):
    """Print the table."""
    table("tests.benchmark_peers", arguments, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
