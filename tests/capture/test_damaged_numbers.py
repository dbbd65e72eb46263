"""A number in a file is another one than torch wrote: a module is built, or the file refused."""

import io
import pickletools
import random
import zipfile
from itertools import pairwise

import pytest
import torch
import torch.ao.nn.quantized as nnq
import torch.ao.quantization as tq
from torch import nn
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from qdbg.capture.rebuild import rebuild
from qdbg.errors import QdbgError
from qdbg.reader import find_forward, read_model
from tests.reader import crafted as c

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]
ODD = [
    *(c.number(n) for n in (-(2**31), -1, 0, 1, 2, 3, 7, 255, 2**31 - 1, 2**40)),
    *(c.NONE, c.TRUE, b"]", b"}", b")", c.text("zeros"), c.real(float("nan")), c.real(0.5)),
]


def embedding():
    table = nn.EmbeddingBag(5, 4)
    table.qconfig = tq.float_qparams_weight_only_qconfig
    return nn.Sequential(nnq.EmbeddingBag.from_float(table))


def graph():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).eval()
    x = (torch.randn(1, 3, 4, 4),)
    prepared = prepare_fx(net, tq.get_default_qconfig_mapping("x86"), x)
    prepared(*x)
    return convert_fx(prepared)


MAKERS = {
    "convolutions": lambda: nn.Sequential(
        nnq.Conv2d(3, 4, 3, padding=1), nnq.ConvTranspose1d(4, 4, 2), nnq.BatchNorm2d(4)
    ),
    "recurrent": lambda: tq.quantize_dynamic(
        nn.Sequential(nn.LSTM(3, 4, bidirectional=True), nn.GRUCell(3, 4)), {nn.LSTM, nn.GRUCell}
    ),
    "embedding": embedding,
    "graph": graph,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_changed_number_ends_in_modules_or_in_a_refusal(tmp_path, name):
    path = tmp_path / "m.pth"
    torch.save(MAKERS[name](), path)
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    key = next(each for each in members if each.endswith("data.pkl"))
    starts = [place for _, _, place in pickletools.genops(members[key])] + [len(members[key])]
    pieces = [members[key][a:b] for a, b in pairwise(starts)]
    places = [n for n, piece in enumerate(pieces) if piece[:1] in b"KMJGN\x88\x89"]
    dice = random.Random(11)  # noqa: S311 - no secret
    built = 0
    for _ in range(250):
        changed = list(pieces)
        changed[dice.choice(places)] = dice.choice(ODD)
        path.write_bytes(packed(members | {key: b"".join(changed)}))
        try:
            model = read_model(path)
            find_forward(model, None)
            built += len(rebuild(model)) > 0
        except QdbgError as error:
            assert len(error.message.splitlines()) <= 2
    assert 0 < built < 250


def packed(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()
