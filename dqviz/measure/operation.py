"""One operation of a network's graph, as a rule of `gain_rules` sees it; the register of rules."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

from torch import fx, nn


class NoBound(Exception):
    """There is no finite bound, or none is known; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """One node of the graph.

    `gains` holds the Lipschitz constant of every node that depends on the input; a node that is not
    among them is a constant. `shapes` holds the shapes of tensors, batch dimension included.
    """

    traced: fx.GraphModule
    node: fx.Node
    gains: dict[fx.Node, float]
    shapes: dict[fx.Node, tuple[int, ...]]

    @property
    def operands(self) -> list[float]:
        """The constants of the operands that depend on the input, in order, repeats included."""
        found: list[float] = []

        def note(node: fx.Node) -> fx.Node:
            if node in self.gains:
                found.append(self.gains[node])
            return node

        fx.node.map_arg((self.node.args, self.node.kwargs), note)
        return found

    @property
    def source(self) -> float:
        """The constant of the only operand that depends on the input."""
        if len(self.operands) != 1:
            raise NoBound(f"{self.name} of {len(self.operands)} activations has no rule")
        return self.operands[0]

    @property
    def module(self) -> nn.Module:
        """The module that is called."""
        return self.traced.get_submodule(str(self.node.target))

    @property
    def name(self) -> str:
        """What people call it."""
        if self.node.op == "call_module":
            return f"{type(self.module).__name__} ({str(self.node.target).removeprefix('net.')})"
        return getattr(self.node.target, "__name__", str(self.node.target))

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the first operand."""
        source = self.node.args[0]
        assert isinstance(source, fx.Node)
        height, width = self.shapes[source][-2:]
        return height, width

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        if len(self.node.args) > position:
            return self.node.args[position]
        return self.node.kwargs.get(name, default)


IN_PLACE = frozenset({operator.iadd, operator.isub, operator.imul, operator.itruediv})


def refuse_overwriting(operation: Operation) -> None:
    """An operation in place changes its first operand, whose bound then holds no longer.

    Raises:
        NoBound: if something later in the graph uses that operand again.
    """
    node = operation.node
    by_name = node.op == "call_method" and str(node.target).endswith("_")
    by_option = bool(node.kwargs.get("inplace")) or (
        node.op == "call_module" and bool(getattr(operation.module, "inplace", False))
    )
    if not (by_name or by_option or node.target in IN_PLACE) or not node.args:
        return
    order = {other: place for place, other in enumerate(node.graph.nodes)}
    changed = node.args[0]
    if isinstance(changed, fx.Node) and any(order[user] > order[node] for user in changed.users):
        raise NoBound(f"{operation.name} overwrites an activation that is used again")


Rule = Callable[[Operation], float]


class Rules(dict[Any, Rule]):
    """Rules by a module's type, a function (see `entry_of`), or the name of a tensor's method."""

    def register(self, *operations: Any) -> Callable[[Rule], Rule]:
        """Register a rule for operations that have none yet.

        Raises:
            ValueError: if one has.
        """

        def add(function: Rule) -> Rule:
            for operation in operations:
                if operation in self:
                    raise ValueError(f"{operation} already has a rule")
                self[operation] = function
            return function

        return add
