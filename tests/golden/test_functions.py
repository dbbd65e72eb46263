"""Functions by layer, call, op or for all: what they receive, what they may give back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.engine.trace import Trace
from qdbg.errors import GoldenError
from tests.golden.conftest import captured, only
from tests.synthetic import recording as classifier

LINEAR = """
    import numpy as np

    def {name}(x_q, x_scale, x_zp, w_q, w_scale, b, y_scale, y_zp, qmin, qmax):
        acc = (x_q.astype(np.int64) - x_zp) @ w_q.astype(np.int64).T
        real = acc * (x_scale * w_scale) + b
        return np.clip(np.rint(real / y_scale) + y_zp, qmin, qmax)
"""
CONV = """
    import numpy as np

    def layer(x_q, x_scale, x_zp, w_q, w_scale, bias, y_scale, y_zp, y_shape, qmin, qmax,
              stride, padding, dilation, groups):
        (ph, pw), (sh, sw) = padding, stride
        x = np.pad(x_q.astype(int) - x_zp, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        out, each = np.zeros(y_shape), w_q.shape[1]
        for n, c, i, j in np.ndindex(*y_shape):
            first = c // (y_shape[1] // groups) * each
            window = x[n, first:first + each, i * sh:i * sh + 3, j * sw:j * sw + 3]
            out[n, c, i, j] = (window * w_q[c].astype(int)).sum() * x_scale * w_scale[c] + bias[c]
        return np.clip(np.rint(out / y_scale) + y_zp, qmin, qmax)
"""


def textbook(recording, call, feed="captured"):
    return Trace(recording, ARITHMETICS["textbook"], feed).simulation(call).result


@pytest.mark.parametrize(
    ("name", "calls"),
    [("fc1", [1]), ("fc1_linear", [1]), ("linear", [1, 3]), ("layer", [1, 3])],
)
def test_a_function_stands_for_its_layer_its_call_its_op_or_every_call_with_weights(
    functions, small, name, calls
):
    found = functions(LINEAR.format(name=name))
    assert list(found.columns) == calls
    for call in calls:
        column = found.columns[call]
        assert column.values.dtype == np.uint8
        assert np.array_equal(column.values, textbook(small, call))
        assert (column.layout, column.source) == (None, f"golden.py line 4, {name}")
    assert found.comparison(1).differences == 3
    assert found.comparison(0) is None


def test_the_most_special_name_goes_first(functions):
    text = "def {}(y_shape):\n    import numpy\n    return numpy.full(y_shape, {})\n"
    names = ("layer", "linear", "fc1", "fc1_linear")
    for last in range(1, 5):
        found = functions("".join(text.format(n, i) for i, n in enumerate(names[:last])))
        assert int(found.columns[1].values[0, 0]) == last - 1
        assert int(found.columns[3].values[0, 0]) == min(last - 1, 1)


def test_convolutions_come_in_pytorchs_layout(functions, image):
    found = functions(CONV, image)
    assert list(found.columns) == [1, 2]
    assert found.differences == 0


def test_a_path_with_dots_is_written_with_underscores(functions, image):
    text = "import numpy\ndef block_1_conv(y_shape):\n    return numpy.zeros(y_shape)\n"
    assert only(functions(text, image))[0] == "block.1.conv:conv2d"


def test_operands_are_numpy_arrays_in_pytorchs_dtypes_and_plain_numbers(functions):
    text = """
        import json
        def fc1(**given):
            print(json.dumps({n: [type(v).__name__, str(getattr(v, "dtype", ""))]
                              for n, v in given.items()}))
            given["x_q"][:] = 7  # its own to change
            return [[0] * 16]
    """
    told = json.loads(functions(text).printed)
    assert told["x_q"] == ["ndarray", "uint8"]
    assert told["w_q"] == ["ndarray", "int8"]
    assert told["w_scale"] == ["ndarray", "float64"]
    assert told["b"] == told["bias"] == ["ndarray", "float32"]
    assert told["x_scale"] == told["y_scale"] == ["float", ""]
    assert told["x_zp"] == told["y_zp"] == told["qmin"] == ["int", ""]
    assert told["y_shape"] == ["tuple", ""]
    assert told["name"] == told["op"] == ["str", ""]
    assert told["stride"] == told["groups"] == ["NoneType", ""]


def test_a_function_may_return_lists_and_leave_out_the_leading_axis_of_one(functions):
    name, column = only(functions("def fc2(x_q):\n    return [1, 2, 3]\n"))
    assert (name, column.values.tolist()) == ("fc2:linear", [[1, 2, 3]])


def test_defaults_are_the_users(functions):
    text = "def fc2(x_q, y_zp, mine=5):\n    return [mine, y_zp, 0]\n"
    assert only(functions(text))[1].values.tolist() == [[5, 128, 0]]


def test_numbers_out_of_range_are_kept_as_they_are(functions, small):
    found = functions("def fc2(x_q):\n    return [-7, 300, 0]\n")
    column = only(found)[1]
    assert (column.values.dtype, column.values.tolist()) == (np.int64, [[-7, 300, 0]])
    delta = np.array([[-7, 300, 0]]) - captured(small, "fc2:linear").astype(int)
    assert found.comparison(3).max_delta == abs(delta).max()


def test_float_results_are_rounded_to_float32(functions, small):
    text = "def dequant(x_q, x_scale, x_zp):\n    return x_scale * (x_q.astype(float) - x_zp)\n"
    values = only(functions(text))[1].values
    assert values.dtype == np.float32
    assert np.abs(values - captured(small, "dequant:dequantize")).max() < 1e-5


# --------------------------------------------------------------------------------- the feed


def test_each_function_gets_pytorchs_integers_or_the_golden_models_own(functions, small):
    text = (
        LINEAR.format(name="layer")
        + "\n    def relu(x_q, x_zp):\n        return np.maximum(x_q, x_zp)\n"
    )
    alone = functions(text)
    assert np.array_equal(alone.columns[3].values, textbook(small, 3))
    fed = functions(text, feed="simulated")
    assert fed.feed == "simulated"
    assert np.array_equal(fed.columns[3].values, textbook(small, 3, "simulated"))
    assert not np.array_equal(fed.columns[3].values, alone.columns[3].values)


def test_what_the_golden_model_leaves_out_is_simulated_between_its_results(functions, small):
    fed = functions(LINEAR.format(name="layer"), feed="simulated")
    assert list(fed.columns) == [1, 3]
    assert np.array_equal(fed.columns[3].values, textbook(small, 3, "simulated"))


def test_a_number_out_of_range_cannot_be_fed_on(functions):
    with pytest.raises(GoldenError, match=r"fc1 gives 300 to 300 on fc1:linear .expected what qu"):
        functions("def fc1(x_q):\n    return [[300] * 16]\n", feed="simulated")
    assert functions("def relu(x_q):\n    return [[300] * 16]\n").differences == 16


def test_the_functions_run_again_on_another_input(functions):
    other = classifier(seed=0, rows=3)
    again = functions(LINEAR.format(name="fc1")).again(other)
    assert again.recording is other
    assert again.columns[1].values.shape == (3, 16)
    assert np.array_equal(again.columns[1].values, textbook(other, 1))


# ---------------------------------------------------------------------------------- refused

REFUSED = {
    "a parameter that is not there": (
        "def fc1(x_q, y_scal):\n    return x_q\n",
        "golden.py line 1, fc1 asks for 'y_scal', which fc1:linear does not have "
        r"\(expected one of name, op, b, bias",
    ),
    "an operand of another call": (
        "def relu(w_q):\n    return w_q\n",
        "relu asks for 'w_q', which relu:relu does not have",
    ),
    "a star": ("def fc1(*x_q):\n    return 0\n", r"has the parameter \*x_q .expected operands by"),
    "positional": ("def fc1(x_q, /):\n    return 0\n", "has the parameter x_q, /"),
    "a name that means nothing": (
        "def fc1(x_q):\n    return [[0] * 16]\ndef fc7(x_q):\n    return 0\n",
        "golden.py line 3: fc7 names nothing in this run .expected one of layer, quant, fc1, relu",
    ),
    "no function": ("x = 3\n", "has no function for a call of this run .expected one named layer"),
    "helpers only": (
        "def _a():\n    return 0\n",
        "has no function for a call of this run",
    ),
    "a wrong shape": (
        "def fc1(x_q):\n    return x_q\n",
        r"in fc1 on fc1:linear: it returned the shape \[1, 4\], \[1, 16\] is expected",
    ),
    "a transposed result": (
        "def fc2(x_q):\n    return [[1], [2], [3]]\n",
        r"it returned the shape \[3, 1\], \[1, 3\] is expected",
    ),
    "booleans": (
        "def fc1(x_q):\n    return [[True] * 16]\n",
        "it returned booleans: numbers are expected",
    ),
    "nothing": ("def fc1(x_q):\n    pass\n", "it returned nothing: is a return missing"),
    "an async function": ("async def fc1(x_q):\n    return 0\n", "it is an async function"),
    "a ragged list": ("def fc1(x_q):\n    return [[1], [2, 3]]\n", "is no array of numbers"),
    "text": ("def fc1(x_q):\n    return ['a'] * 16\n", "it returned <U1 values: numbers"),
    "objects": ("def fc1(x_q):\n    return [[{}] * 16]\n", "it returned object values"),
    "complex": ("def fc1(x_q):\n    return [[1j] * 16]\n", "it returned complex128 values"),
    "fractions": (
        "def fc1(x_q):\n    return [[0] * 3 + [53.4] + [0] * 12]\n",
        r"fc1 gives 53.4 at \[0, 3\] .expected integers, for fc1:linear is quint8",
    ),
    "nan": ("def fc2(x_q):\n    return [0, float('nan'), 0]\n", r"gives nan at \[0, 1\]"),
    "huge": (
        "import numpy\ndef fc2(x_q):\n    return numpy.full(3, 2**63, numpy.uint64)\n",
        "numbers of 2..63 and more",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_the_users_words(case, functions):
    text, words = REFUSED[case]
    with pytest.raises(GoldenError, match=words) as caught:
        functions(text)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_function_for_an_op_of_other_models_may_stand_there(functions):
    text = "def conv2d(x_q):\n    return x_q\ndef fc2(x_q):\n    return [1, 2, 3]\n"
    assert only(functions(text))[0] == "fc2:linear"


def test_a_helper_that_the_file_uses_may_have_any_name(functions):
    text = "def fc2(x_q):\n    return clamp3()\ndef clamp3():\n    return [1, 2, 3]\n"
    assert only(functions(text))[0] == "fc2:linear"


def test_one_function_for_two_ops_of_a_layer_is_refused(functions, small):
    nodes = list(small.program.nodes)
    nodes[2] = replace(nodes[2], name="fc1:relu", layer="fc1")
    mixed = replace(small, program=replace(small.program, nodes=tuple(nodes)))
    text = "def fc1(y_shape):\n    import numpy\n    return numpy.zeros(y_shape)\n"
    with pytest.raises(GoldenError, match=r"fc1 names the calls fc1:linear, fc1:relu .*fc1_linear"):
        functions(text, mixed)
    assert only(functions(text.replace("fc1", "fc1_relu"), mixed))[0] == "fc1:relu"


@pytest.mark.parametrize("wrong", [0, 1])
def test_channels_last_in_a_shape_that_has_them_first_are_told(wrong, functions, image):
    q = captured(image, "block.0.conv:conv2d").astype(int)
    q[0, :wrong] += 7
    last = q.transpose(0, 2, 3, 1).ravel().tolist()
    text = f"def block_0_conv(x_q):\n    return np.reshape({last}, (1, 4, 3, 4))\n"
    found = functions(f"import numpy as np\n{text}", image)
    laid = only(found)[1].laid
    assert (laid.order, laid.known) == ("NHWC under the shape [1, 4, 3, 4]", False)
    assert laid.stood > 24
    assert found.differences == 12 * wrong
