"""Code that would run if a file were unpickled as Python does it."""

import struct
from pathlib import Path

from tests.reader import crafted as c
from tests.reader.attacks.case import case, in_state, system_payload, touching


@case("posix.system", "posix system")
@case("os.system", "os system")
@case("subprocess.getoutput", "subprocess getoutput")
@case("os.popen", "os popen")
def reduce_shell(marker: Path, full: str) -> bytes:
    return in_state(c.call(full, c.text(f"touch '{marker}'")))


@case("builtins.eval", "builtins eval")
@case("builtins.exec", "builtins exec")
@case("__builtin__.eval", "__builtin__ eval")
@case("torch._dynamo.compiled_autograd.exec", "torch._dynamo.compiled_autograd exec")
def reduce_python(marker: Path, full: str) -> bytes:
    return in_state(c.call(full, c.text(touching(marker))))


@case("runpy._run_code")
def reduce_runpy(marker: Path) -> bytes:
    compiled = c.call("builtins compile", c.text(touching(marker)), c.text("x"), c.text("exec"))
    return in_state(
        c.name("runpy _run_code").replace(b"_run_code", b"_run_code") + c.group(b"}") + b"R"
        if not compiled
        else c.call("runpy _run_code", c.text(touching(marker)), b"}")
    )


@case("builtins.open")
def reduce_open(marker: Path) -> bytes:
    return in_state(c.call("builtins open", c.text(str(marker)), c.text("w")))


@case("pathlib.Path.touch")
def dotted_stack_global(marker: Path) -> bytes:
    path = c.text("pathlib") + c.text("Path.touch") + b"\x93"
    return c.archive(b"\x80\x04" + path + c.group(c.text(str(marker))) + b"R.")


@case("operation INST")
def inst(marker: Path) -> bytes:
    return in_state(b"(" + c.text(f"touch '{marker}'") + b"iposix\nsystem\n")


@case("operation OBJ")
def obj(marker: Path) -> bytes:
    return in_state(b"(" + c.name("posix system") + c.text(f"touch '{marker}'") + b"o")


@case("posix.system")
def popped_code(marker: Path) -> bytes:
    run = c.call("posix system", c.text(f"touch '{marker}'")) + b"0"
    return c.archive(b"\x80\x02" + run + c.net()[2:])


@case("operation POP_MARK")
def popped_mark(marker: Path) -> bytes:
    del marker
    return c.archive(b"\x80\x02(" + c.text("x") + b"1" + c.net()[2:])


@case("torch.hub.load")
def torch_hub(marker: Path) -> bytes:
    return in_state(c.call("torch.hub load", c.text(str(marker)), c.text("x")))


@case("load_library")
def load_library(marker: Path) -> bytes:
    return in_state(c.call("torch._ops load_library", c.text(str(marker))))


@case("functools.partial")
def partial(marker: Path) -> bytes:
    made = c.call("functools partial", c.name("posix system"), c.text(f"touch '{marker}'"))
    return in_state(made + b")R")


@case("operator.attrgetter")
def attrgetter(marker: Path) -> bytes:
    getter = c.call("operator attrgetter", c.text("system")) + c.group(c.name("os sys"))
    return in_state(getter + b"R" + c.group(c.text(f"touch '{marker}'")) + b"R")


@case("_load_from_bytes")
def load_from_bytes(marker: Path) -> bytes:
    inner = system_payload(marker)
    data = b"B" + struct.pack("<I", len(inner)) + inner
    return in_state(c.call("torch.storage _load_from_bytes", data))


@case("pickle.loads")
def nested_pickle(marker: Path) -> bytes:
    inner = system_payload(marker)
    data = b"B" + struct.pack("<I", len(inner)) + inner
    return in_state(c.call("_pickle.pickle loads", data))


@case("replaces its own forward")
def forward_attribute(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(forward=c.name("posix system")))


@case("replaces its own forward")
def forward_in_layer(marker: Path) -> bytes:
    del marker
    return c.archive(c.net(c.linear(forward=c.name("posix system"))))


@case("replaces its own", "__class__")
@case("replaces its own", "_call_impl")
@case("replaces its own", "__call__")
@case("replaces its own", "_compiled_call_impl")
def replaced(marker: Path, attribute: str) -> bytes:
    del marker
    return c.archive(c.net(**{attribute: c.name("posix system")}))


@case("hooks", "_forward_hooks")
@case("hooks", "_forward_pre_hooks")
@case("hooks", "_backward_hooks")
@case("hooks", "_state_dict_hooks")
@case("hooks", "_load_state_dict_post_hooks")
def hook(marker: Path, where: str) -> bytes:
    del marker
    table = c.EMPTY + c.number(1) + c.name("posix system") + b"s"
    return c.archive(c.net(**{where: table}))


@case("hooks")
def hook_in_packed_parameters(marker: Path) -> bytes:
    del marker
    hooks = c.EMPTY + c.number(1) + c.name("posix system") + b"s"
    script = c.new("torch ScriptObject", c.group(c.group(c.weight(), c.bias()), c.text(c.KIND)))
    inside = c.module(c.PACKED, _packed_params=script, _forward_hooks=hooks)
    return c.archive(
        c.net(
            c.module(
                c.LINEAR, {"_packed_params": inside}, scale=c.real(0.1), zero_point=c.number(0)
            )
        )
    )


@case("not a new object")
def build_on_a_function(marker: Path) -> bytes:
    defaults = c.table({"__defaults__": c.group(c.text(str(marker)))})
    return in_state(c.name("torch._utils _rebuild_tensor_v2") + defaults + b"b")


@case("not a new object")
def build_twice(marker: Path) -> bytes:
    del marker
    return c.archive(c.net()[:-1] + b"}b.")


@case("not a new object")
def build_on_a_call(marker: Path) -> bytes:
    return in_state(c.call("torch Size", b")") + c.table({"x": c.text(str(marker))}) + b"b")


@case("operation EXT1", b"\x82\x01")
@case("operation EXT2", b"\x83\x01\x00")
@case("operation EXT4", b"\x84\x01\x00\x00\x00")
@case("operation PERSID", b"Pposix.system\n")
@case("operation DUP", b"N2")
@case("operation BYTEARRAY8", b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x")
@case("operation NEXT_BUFFER", b"\x97")
@case("operation READONLY_BUFFER", b"N\x98")
@case("operation FROZENSET", b"(\x91")
@case("operation LONG4", b"\x8b\x01\x00\x00\x00\x01")
def opcode(marker: Path, code: bytes) -> bytes:
    del marker
    return in_state(code)
