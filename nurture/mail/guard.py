"""What is put into a template's syntax tree before it is compiled: payments that Jinja has no hook for (trust X2).

A loop pays for its turns and a macro for its body, each by how much stands in it; comparisons, tests, slices and
`{% set %}` blocks pay for the values they walk. The hidden filters are those of `mail.filters`.
"""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from nurture.mail.meter import MOST_NODES, STEP, TURN

COUNTED, PAID, WEIGHED, HELD, JOINED = "counted", "paid", "weighed", "held", "joined"
HIDDEN = frozenset({COUNTED, PAID, WEIGHED, HELD, JOINED})
_MEMBERSHIP = frozenset({"in", "notin"})


def refuse(tree: nodes.Template) -> nodes.Template:
    """The tree as it was. Raises TemplateSyntaxError for one that is too large to compile, and for names that begin
    with an underscore: they are the program's own, and a template that could set one could set its budget."""
    for count, node in enumerate(tree.find_all(nodes.Node)):
        if count > MOST_NODES:
            raise TemplateSyntaxError(f"the file has more than {MOST_NODES:,} Jinja parts", node.lineno)
        match node:
            case nodes.Name(name=name) | nodes.Macro(name=name) | nodes.Import(target=name) if name.startswith("_"):
                raise TemplateSyntaxError(f"'{name}': names do not begin with an underscore", node.lineno)
    return tree


def guard(tree: nodes.Template) -> nodes.Template:
    """The tree with its payments."""
    for node in list(tree.find_all(nodes.Node)):
        match node:
            case nodes.For():
                _loop(node)
            case nodes.Macro() | nodes.CallBlock() | nodes.Block():
                node.body = [_payment(node), *node.body]
            case nodes.AssignBlock():
                node.filter = _filter(node.filter, WEIGHED, node)
            case nodes.Concat():
                parts = nodes.List(list(node.nodes), lineno=node.lineno)
                node.nodes = [_filter(parts, JOINED, node)]
            case nodes.Compare():
                _compare(node)
            case nodes.Test():
                node.node = _weighed(node.node)
                node.args = [_weighed(arg) for arg in node.args]
            case nodes.Getitem(arg=nodes.Slice()):
                node.node = _weighed(node.node)
            case nodes.Import() | nodes.FromImport():
                node.with_context = True  # else what macros do is nobody's work
    _hold(tree)
    tree.body = [_payment(tree), *tree.body]
    return tree


def _loop(loop: nodes.For) -> None:
    cost = TURN + STEP * _size(loop)
    loop.iter = _filter(loop.iter, COUNTED, loop, cost)
    if loop.recursive:
        loop.body = [_payment(loop), *loop.body]  # `loop(…)` begins turns that no `for` counted


def _compare(node: nodes.Compare) -> None:
    """Beside a constant, only a search in something can take long."""
    for operand in node.ops:
        if operand.op in _MEMBERSHIP or not isinstance(node.expr, nodes.Const):
            operand.expr = _weighed(operand.expr)
    searched = any(operand.op in _MEMBERSHIP for operand in node.ops)
    if searched or not all(isinstance(operand.expr, nodes.Const) for operand in node.ops):
        node.expr = _weighed(node.expr)


def _hold(tree: nodes.Template) -> None:
    """Lists written out may hold others, and those others: what they hold in all is bounded as they are made."""
    for parent in list(tree.find_all(nodes.Node)):
        if isinstance(parent, nodes.Filter) and parent.name == JOINED:
            continue
        for name, value in list(parent.iter_fields()):
            if isinstance(value, list):
                setattr(parent, name, [_held(one) for one in value])
            else:
                setattr(parent, name, _held(value))


def _held(node: Any) -> Any:
    """A list with something in it that is not a constant pays; a tuple on the left of `=` is none."""
    match node:
        case nodes.List(items=items) | nodes.Tuple(ctx="load", items=items) | nodes.Dict(items=items):
            made = any(not isinstance(item, nodes.Const) for item in items)
            return _filter(node, HELD, node) if made else node
    return node


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, WEIGHED, node)


def _payment(node: nodes.Node) -> nodes.ExprStmt:
    cost = nodes.Const(TURN + STEP * _size(node), lineno=node.lineno)
    return nodes.ExprStmt(_filter(cost, PAID, node), lineno=node.lineno)


def _size(node: nodes.Node) -> int:
    return sum(1 for _ in node.find_all(nodes.Node))


def _filter(inner: nodes.Node | None, name: str, at: nodes.Node, *args: int) -> nodes.Filter:
    constants = [nodes.Const(arg, lineno=at.lineno) for arg in args]
    return nodes.Filter(inner, name, constants, [], None, None, lineno=at.lineno)
