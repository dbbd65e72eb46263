"""Files with other contents than a model, and broken pickles."""

import pickle
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case


@case("TorchScript", "m/constants.pkl")
@case("TorchScript", "m/code/__torch__.py")
@case("torch.export", "m/serialized_exported_program.json")
@case("torch.export", "m/models/model.json")
def another_kind(marker: Path, member: str) -> bytes:
    del marker
    return c.archive(c.net(), more=[(member, b"x")])


@case("holds a list", [1, 2, 3])
@case("holds a int", 7)
@case("holds a NoneType", None)
@case("holds a str", "model")
@case("epoch", {"epoch": 3, "model_state_dict": {}, "loss": 0.1})
@case("(none)", {})
@case("", {"fc.weight": [1.0]})
@case("", {"fc.scale": "a", "fc.zero_point": 1})
@case("", {"\x1b[2J" * 5000: 1})
def other_content(marker: Path, value: object) -> bytes:
    del marker
    return c.archive(pickle.dumps(value, 2))


@case("not converted")
def prepared_only(marker: Path) -> bytes:
    del marker
    fake = c.module("torch.ao.quantization.fake_quantize FakeQuantize")
    fc = c.module("torch.ao.nn.qat.modules.linear Linear", {"weight_fake_quant": fake})
    return c.archive(c.net(fc))


@case("float model")
def float_model(marker: Path) -> bytes:
    del marker
    fc = c.module("torch.nn.modules.linear Linear", in_features=c.number(3))
    return c.archive(c.net(fc))


@case("", b"")
@case("", b".")
@case("", b"\x80\x02")
@case("", b"\x80\x02N")
@case("", b"\x80\x02NN.")
@case("", b"\x80\x02(N.")
@case("", b"\x80\x02t.")
@case("", b"\x80\x02R.")
@case("", b"\x80\x02\x81.")
@case("", b"\x80\x02b.")
@case("", b"\x80\x02h\x07.")
@case("", b"\x80\x02q\x07.")
@case("", b"\x80\x02Nu.")
@case("", b"\x80\x02}(Nu.")
@case("", b"\x80\x02}Na.")
@case("", b"\x80\x02Q.")
@case("", b"\x80\x02NQ.")
@case("", b"\x80\x02X\xff\xff\xff\xff.")
@case("", b"\x80\x02X\x02\x00\x00\x00\xff\xfe.")
@case("", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.")
@case("", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.")
@case("", b"\x80\x02\x8a\xff\x00.")
@case("", b"\x80\x02Ix\n.")
@case("", b"\x80\x02L" + b"9" * 9000 + b"L\n.")
@case("", b"\x80\x02Fx\n.")
@case("", b"\x80\x02cno_newline")
@case("", b"\x80\x02c\xff\n\xfe\n.")
@case("", b"\x80\x02g999999999999999999999\n.")
@case("", b"\x80\x02Vbad\\u12\n.")
@case("", b"\x80\x04\x93.")
@case("", b"\x80\x04NN\x93.")
@case("", b"\x80\x02ccollections\nOrderedDict\nN\x85R.")
@case("", b"\x80\x02ccollections\nOrderedDict\n]N\x85aR.")
@case("", b"\x80\x02ctorch\nSize\n)R.")
@case("", b"\x80\x02ca\nb\n)\x81N\x85b.")
@case("", b"\xff\xfe\xfd")
def broken_pickle(marker: Path, data: bytes) -> bytes:
    del marker
    return c.archive(data)
