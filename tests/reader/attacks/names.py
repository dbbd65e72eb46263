"""Names that lie, or that no terminal should show."""

import warnings
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case, system_payload


@case("cannot be shown", "\x1b[2J")
@case("cannot be shown", "a\nb")
@case("cannot be shown", "\ud800")
@case("", "a.b")
@case("", "x" * 100_000)
@case("", "")
def layer_name(marker: Path, name: str) -> bytes:
    del marker
    return c.archive(b"\x80\x02" + c.module("__main__ Net", {name: c.linear()}) + b".")


@case("")
def class_name_with_escapes(marker: Path) -> bytes:
    del marker
    evil = c.text("evil\x1b[2J\nmodule") + c.text("N" * 50_000) + b"\x93"
    return c.archive(b"\x80\x04" + evil + b")R.")


@case("")
def surrogate_module_name(marker: Path) -> bytes:
    del marker
    return c.archive(b"\x80\x04" + c.text("\udc80") + c.text("x") + b"\x93)R.")


@case("not a module")
def layer_key_is_a_number(marker: Path) -> bytes:
    del marker
    kids = b"}" + c.number(7) + c.linear() + b"s"
    return c.archive(b"\x80\x02" + c.module("__main__ Net", {}, _modules=kids) + b".")


@case("outside its folder", "m/../../evil")
@case("outside its folder", "/etc/evil")
@case("outside its folder", "m\\..\\evil")
def member_name(marker: Path, member: str) -> bytes:
    del marker
    return c.archive(c.net(), more=[(member, b"x")])


@case("data.pkl")
def two_pickles(marker: Path) -> bytes:
    return c.archive(c.net(), more=[("evil/data.pkl", system_payload(marker))])


@case("twice")
def duplicate_pickle(marker: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return c.archive(c.net(), more=[("m/data.pkl", system_payload(marker))])


@case("twice")
def duplicate_member(marker: Path) -> bytes:
    del marker
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return c.archive(c.net(), more=[("m/data/0", b"123456")])
