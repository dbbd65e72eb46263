"""Elements by channel and position: axes, places, pictures, and the window behind an element."""

from itertools import product

import numpy as np
import pytest

from qdbg.debugger import Debugger
from qdbg.engine.browse import Axes, axes_of
from qdbg.engine.picture import Picture
from qdbg.engine.sight import sight
from qdbg.engine.terms import terms
from qdbg.errors import CommandError
from qdbg.places import find_place
from tests.images import Conv, recording
from tests.synthetic import recording as of_linear

LINE = Conv(size=(11,), inputs=4, outputs=6)
VOLUME = Conv(size=(4, 5, 6), inputs=2, outputs=3, samples=1)
GROUPS = Conv(size=(9, 8), inputs=6, outputs=4, groups=2, stride=2, dilation=2, padding=2)


def at(conv, place, arithmetic="textbook"):
    debugger = Debugger(recording(conv), arithmetic)
    debugger.execute(f"go {place}")
    return debugger


@pytest.mark.parametrize(
    ("place", "conv", "letters"),
    [
        ("conv1.clamp", Conv(), "nhwc"),
        ("conv1.centre", Conv(arithmetic="qnnpack-avx2"), "nhwgk"),
        ("conv1.mac", LINE, "nlc"),
        ("conv1.mac", VOLUME, "ndhwc"),
        ("quant.clamp", Conv(), "nchw"),
        ("relu:relu", Conv(), "nchw"),
        ("quant.clamp", LINE, "ncl"),
        ("relu:relu", VOLUME, "ncdhw"),
    ],
)
def test_every_axis_has_a_letter_of_its_own(place, conv, letters):
    axes = axes_of(at(conv, place, "auto").step)
    assert "".join(axes.letters) == letters
    assert axes.spatial


def test_rows_of_linear_results_are_no_image_and_their_letters_differ():
    debugger = Debugger(of_linear(rows=3))
    debugger.execute("go fc1.mac")
    axes = axes_of(debugger.step)
    assert not axes.spatial
    assert len(set(axes.letters)) == 2
    assert axes.seen("picture") == axes.seen("table") == (0, 1)


def test_moving_along_axes_is_numpys_flat_order_and_stops_at_the_ends():
    axes = Axes(("n", "h", "w", "c"), (2, 3, 4, 5))
    every = np.arange(120).reshape(axes.shape)
    for element in range(120):
        n, h, w, c = axes.index(element)
        assert every[n, h, w, c] == element == axes.element((n, h, w, c))
        channel = every[n, :, :, c].ravel()
        assert axes.among(axes.spatial, element) == np.flatnonzero(channel == element)[0]
        for by in (-100, -1, 1, 3, 100):
            wanted = channel[np.clip(np.flatnonzero(channel == element)[0] + by, 0, 11)]
            assert axes.moved(axes.spatial, element, by) == wanted
        assert axes.moved(axes.channels, element, 1) == every[n, h, w, min(c + 1, 4)]
        assert axes.moved(axes.rows, element, -1) == every[n, max(h - 1, 0), w, c]
        assert axes.moved(axes.planes, element, 1) == every[min(n + 1, 1), h, w, c]


def test_the_rows_of_a_line_of_samples_are_its_channels():
    axes = Axes(("n", "l", "c"), (2, 7, 3))
    assert (axes.rows, axes.columns, axes.channels) == ((2,), (1,), (2,))


# -------------------------------------------------------------------------------- places


@pytest.mark.parametrize(
    "text",
    ["[1,3,4,2]", "[nchw 1,2,3,4]", "[whcn 4,3,2,1]", "[c=2,h=3,w=4,n=1]", "[w = 4, n=1,c=2, h=3]"],
)
def test_an_element_is_named_in_the_stages_order_in_pytorchs_or_by_letters(text):
    debugger = at(Conv(), "conv1.mac")
    place = find_place(debugger.trace, f"conv1.mac{text}")
    assert debugger.step.index_of(place.element) == (1, 3, 4, 2)
    captured = debugger.recording.values[1]
    result = find_place(debugger.trace, f"conv1{text}")
    step = debugger.trace.step(result.step)
    assert step.captured.ravel()[result.element] == captured[1, 2, 3, 4]


def test_axes_that_are_not_named_are_0_or_those_of_the_cursor_here():
    debugger = at(Conv(), "conv1.mac[1,3,4,2]")
    place = find_place(debugger.trace, "conv1.mac[c=5]")
    assert debugger.step.index_of(place.element) == (0, 0, 0, 5)
    debugger.execute("go [c=5]")
    assert debugger.step.index_of(debugger.element) == (1, 3, 4, 5)


@pytest.mark.parametrize(
    "text",
    ["[12]x", "[1,3,4,8]", "[nchw 1,2,3]", "[nchh 1,2,3,4]", "[c=8]", "[k=1]", "[c=1,c=2]", "[c=]",
     "[nchw]", "[=1]", f"[{'9' * 5000}]", "[,]", "[c]", "[c=1 h=2]"],
)  # fmt: skip
def test_a_place_that_is_not_there_is_refused_in_words(text):
    debugger = at(Conv(), "conv1.mac")
    with pytest.raises(CommandError, match="there is no place"):
        debugger.execute(f"go conv1.mac{text}")


def test_a_breakpoint_at_an_element_of_this_stage_stands_there():
    debugger = at(Conv(), "conv1.mac[1,3,4,2]", "auto")
    debugger.execute("break [c=5]")
    wanted = axes_of(debugger.step).element((1, 3, 4, 5))
    debugger.execute("start")
    assert debugger.execute("continue").mark.element == wanted
    assert debugger.step.name == "conv1:conv.mac"


# ---------------------------------------------------------------------- differences, marks


def test_the_largest_difference_of_a_stage_is_found():
    debugger = at(Conv(), "conv1.clamp")
    stop = debugger.execute("largest-difference")
    deltas = np.abs(debugger.step.delta)
    assert deltas.ravel()[debugger.element] == deltas.max() > 1
    assert stop.reason.startswith(f"largest |Δ| here: {deltas.max()}, ")
    assert debugger.element == deltas.ravel().argmax()


def test_where_nothing_differs_or_can_be_compared_the_cursor_stays():
    debugger = at(Conv(), "conv1.clamp[0,1,2,3]", "auto")
    before = debugger.stop.mark
    assert debugger.execute("largest-difference").reason == "nothing differs here"
    debugger.execute("go conv1.mac")
    assert "PyTorch shows a layer's result only" in debugger.execute("largest-difference").reason
    debugger.execute("go conv1.clamp")
    assert debugger.stop.mark == before


def test_an_infinite_or_undefined_difference_is_the_largest():
    from qdbg.engine.compare import largest  # noqa: PLC0415

    differs = np.array([True, True, False, True])
    assert largest(differs, np.array([1.0, np.nan, np.inf, -5.0])) == 1
    assert largest(differs, np.array([1.0, 2.0, np.inf, -5.0])) == 3
    assert largest(np.array([False, True]), np.array([0.0, 0.0])) == 1


def test_the_nearest_saturated_element_is_found_in_both_directions():
    debugger = at(Conv(), "conv1.mac", "auto")
    places = np.flatnonzero(debugger.step.cut)
    assert len(places) > 10
    debugger.execute(f"element {places[4]}")
    assert debugger.execute("next-saturation").mark.element == places[5]
    assert debugger.execute("previous-saturation").mark.element == places[4]
    debugger.execute(f"element {places[4] - 1}")
    assert debugger.execute("next-saturation").mark.element == places[4]


# ------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("place", "conv"),
    [("conv1.clamp", Conv()), ("relu:relu", Conv()), ("conv1.clamp", LINE), ("quant.clamp", LINE),
     ("conv1.clamp", VOLUME), ("conv1.requantize", Conv()), ("conv1.centre", Conv())],
)  # fmt: skip
def test_a_picture_has_the_elements_that_share_all_axes_but_two(place, conv):
    debugger = at(conv, place)
    step = debugger.step
    axes = axes_of(step)
    element = step.size * 2 // 3
    picture = Picture(step, element)
    assert picture.shows(step, picture.element(0, 0))
    cut = step.cut if step.cut is not None else np.zeros(step.shape, np.int8)
    different = step.different if step.different is not None else np.zeros(step.shape, bool)
    low, high = picture.ends
    here = axes.index(element)
    lines = picture.part(slice(0, None), slice(0, None), 16, numbered=True)
    assert len(lines) == picture.height
    for row, line in enumerate(lines):
        assert len(line.shades) == picture.width
        for column, shade in enumerate(line.shades):
            index = list(here)
            index[picture.across[0]], index[picture.across[1]] = row, column
            place = tuple(index)
            assert picture.element(row, column) == axes.element(place)
            assert picture.place(axes.element(place)) == (row, column)
            value = float(step.simulated[place])
            assert shade == min(15, int((value - low) / (high - low) * 16))
            assert line.differs[column] == different[place]
            assert line.sides[column] == cut[place]
            assert line.texts[column] == str(step.simulated[place].item())


def test_a_result_is_shaded_from_qmin_to_qmax_and_a_sum_by_its_own_extremes():
    debugger = at(Conv(), "conv1.clamp")
    assert Picture(debugger.step, 0).ends == (0, 255)
    debugger.execute("go conv1.mac")
    sums = debugger.step.simulated
    assert Picture(debugger.step, 0).ends == (sums.min(), sums.max())


def test_a_picture_counts_its_own_marks():
    debugger = at(Conv(), "conv1.clamp")
    step = debugger.step
    pictures = [
        Picture(step, axes_of(step).element((n, 0, 0, c))) for n in (0, 1) for c in range(8)
    ]
    assert sum(p.counts.differences for p in pictures) == step.differences > 0
    assert sum(p.counts.cut for p in pictures) == step.saturations > 0


# ----------------------------------------------------------------- the window in the input


@pytest.mark.parametrize("conv", [Conv(), GROUPS, LINE, VOLUME, Conv(kernel=1, padding=0)])
def test_the_window_is_what_numpy_cuts_out_of_the_padded_input(conv):
    debugger = at(conv, "conv1.clamp", "auto")
    step = debugger.step
    image = debugger.recording.values[0]
    weights = debugger.recording.program.layers["conv1"].weight.q
    axes = len(conv.size)
    inside = np.pad(np.ones_like(image, bool), [(0, 0), (0, 0), *[(conv.padding,) * 2] * axes])
    padded = np.pad(image, [(0, 0), (0, 0), *[(conv.padding,) * 2] * axes], constant_values=120)
    per_group, out_per_group = conv.inputs // conv.groups, conv.outputs // conv.groups
    for element in range(0, step.size, max(1, step.size // 40)):
        n, *place, channel = step.index_of(element)
        cut = tuple(
            slice(p * conv.stride, p * conv.stride + conv.dilation * (conv.kernel - 1) + 1,
                  conv.dilation) for p in place
        )  # fmt: skip
        found = terms(step, element)
        depths = range(conv.kernel if axes == 3 else 1)
        for plane, (depth, of_group) in enumerate(product(depths, range(per_group))):
            seen = sight(step, element, found, plane)
            assert seen.planes == len(depths) * per_group
            assert seen.channel == channel // out_per_group * per_group + of_group
            window = padded[n, seen.channel][cut]
            real = inside[n, seen.channel][cut]
            weight = weights[channel, of_group]
            if axes == 3:
                window, real, weight = window[depth], real[depth], weight[depth]
            shape = (len(seen.rows), len(seen.columns))
            window, real, weight = (part.reshape(shape) for part in (window, real, weight))
            xs = [[None if not r else x for x, r in zip(*both, strict=True)]
                  for both in zip(window.tolist(), real.tolist(), strict=True)]  # fmt: skip
            assert [[cell.x for cell in row] for row in seen.cells] == xs
            assert [[cell.w for cell in row] for row in seen.cells] == weight.tolist()
            assert seen.columns[0] == place[-1] * conv.stride - conv.padding


def test_the_window_opens_where_the_first_pair_saturates_and_marks_it():
    debugger = at(Conv(), "conv1.mac", "auto")
    debugger.execute("next-saturation")
    found = terms(debugger.step, debugger.element)
    first = found.saturating[0].products[0]
    seen = sight(debugger.step, debugger.element, found)
    cells = {cell.k: cell for row in seen.cells for cell in row}
    assert cells[first.k].excess == found.saturating[0].excess
    assert cells[first.k].w == first.w


def test_other_ops_have_no_window():
    debugger = Debugger(of_linear())
    debugger.execute("go fc1.mac")
    assert sight(debugger.step, 0, terms(debugger.step, 0)) is None


# -------------------------------------------------------------------------------- at size


def test_moving_within_a_stage_counts_nothing_again(monkeypatch):
    debugger = at(Conv(), "conv1.clamp")
    kept = debugger.step
    assert kept.differences
    monkeypatch.setattr(np, "count_nonzero", lambda _: pytest.fail("it counts again"))
    for command in ("element 7", "next-difference", "largest-difference", "next-saturation"):
        debugger.execute(command)
        assert debugger.step is kept
