"""FX models: their file holds the forward that torch.fx wrote, as text; it is read, not run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from qdbg.core.program import Model
from qdbg.errors import ForwardError
from qdbg.reader.calls import GRAPH
from qdbg.reader.records import Name, Record
from qdbg.reader.source import SIZE, Source, parse

SAVING = "torch.ao.quantization.fx._lower_to_native_backend."
WRAPPED = "torch.nn.modules.module._WrappedHook"
HOOKS = {"_save_packed_weight", "_load_packed_weight"}
"""What every converted FX model runs when its state_dict is saved or loaded, and never else."""
ROOMS = {"torch._C._nn": "torch.nn.functional", "torch.functional": "torch"}
"""Where functions live that have a public name elsewhere."""


def forward_in(root: Any) -> tuple[str, str] | None:
    """The imports and the forward of an FX model; None for any other."""
    if not isinstance(root, Record) or root.class_name != GRAPH:
        return None
    code = root.state.get("_code", root.state.get("code"))
    return (root.imports, code) if isinstance(code, str) else (root.imports, "")


def is_saving_hook(hook: Any) -> bool:
    """Whether the hook is one that converting an FX model leaves on it."""
    if isinstance(hook, Record) and hook.class_name == WRAPPED and isinstance(hook.state, dict):
        hook = hook.state.get("hook")
    return isinstance(hook, Name) and hook.text in {SAVING + name for name in HOOKS}


def generated_source(model: Model, texts: tuple[str, str]) -> Source:
    """The forward as the method of a class. Raises ForwardError for text of another kind."""
    imports, code = texts
    path = Path(f"{Path(model.name).name}:forward")
    if len(imports) + len(code) > SIZE:
        raise ForwardError(f"{path.name} has over {SIZE:,} characters")
    head = parse(path, imports.encode("utf-8", "replace"))
    tree = ast.parse("")
    written = parse(path, code.encode("utf-8", "replace"), tree)
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    if len(tree.body) != 1 or not functions or functions[0].name != "forward":
        raise ForwardError(
            f"{path.name} is not the one function that torch.fx writes",
            expected="def forward(self, …)",
        )
    try:
        body = ast.fix_missing_locations(_Plainer(head).visit(functions[0]))
    except RecursionError as error:
        raise ForwardError(f"{path.name} is nested too deeply") from error
    kind = model.layers[""].kind
    owner = ast.ClassDef(kind, [], [], [body], [], lineno=1, col_offset=0)
    return Source(path, {kind: owner}, head.imports, head.rebound | written.rebound, generated=True)


class _Plainer(ast.NodeTransformer):
    """What torch.fx writes for want of a name, in the words of other forwards."""

    def __init__(self, head: Source) -> None:
        self.head = head

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`getattr(self.layers, "0")` is a child by its name."""
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("getattr"), [owner, ast.Constant(str(name))], []):
                return ast.copy_location(ast.Attribute(owner, name, ast.Load()), node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """`Ellipsis` is what others write as three dots."""
        return ast.copy_location(ast.Constant(...), node) if node.id == "Ellipsis" else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`torch._C._nn.avg_pool2d` is what `torch.nn.functional.avg_pool2d` stands for."""
        room = ROOMS.get(ast.unparse(node.value))
        if room is not None:
            plain = ast.parse(room, mode="eval").body
            return ast.copy_location(ast.Attribute(plain, node.attr, node.ctx), node)
        self.generic_visit(node)
        return node
