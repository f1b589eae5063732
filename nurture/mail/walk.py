"""The names a template uses, followed through its syntax tree against the names that are known.

`{% for item in entry.items %}{{ item.nme }}` is followed too: `entry.items` is declared as a list of mappings, so
`item` is one of them and `nme` is not in it. Nothing is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from jinja2 import TemplateSyntaxError, nodes

from nurture.campaign.problems import Mark, Problem, did_you_mean
from nurture.mail.guard import HIDDEN
from nurture.mail.render import dotted_name
from nurture.mail.sandbox import MailEnvironment
from nurture.mail.template import TemplateBroken, front_matter

Shape = Any  # a type's name, a mapping of shapes, or a list of one mapping; None is "cannot be told"

LINKS = {"unsubscribe": "url", "preferences": "url", "confirm": "call", "form": "call"}
_PERSONAL = frozenset({"lead", "account", "entry", "enrollment", "consent"})
_HIDDEN = HIDDEN | {"web_address", "style_value"}


class Var(msgspec.Struct, frozen=True):
    """A name in scope; `personal` where its value comes from a lead."""

    shape: Shape
    personal: bool = False


Scope = dict[str, Var]


class Walker:
    """Walks one file of a template and those it extends, includes and imports; `problems` is what it found."""

    def __init__(
        self, files: Mapping[str, str], names: Mapping[str, Shape], topics: Any, forms: Mapping[str, Any], folder: str
    ) -> None:
        self.problems: list[Problem] = []
        self.used: set[str] = set()  # dotted names, `links.unsubscribe` and the like
        self._files = files
        self._topics = topics
        self._forms = forms
        self._folder = folder
        self._globals: Scope = {name: Var(shape, name in _PERSONAL) for name, shape in names.items()}
        self._environments = {True: MailEnvironment(html=True), False: MailEnvironment(html=False)}
        self._walked: set[tuple[str, str]] = set()
        self._file = ""
        self._lines: list[str] = []
        self._cursor: dict[tuple[int, str], int] = {}

    def walk(self, path: str, scope: Scope | None = None) -> None:
        """Follow a file of the template; each is followed once for each set of names around it."""
        scope = scope if scope is not None else dict(self._globals)
        seen = (path, repr(sorted(scope)))
        if seen in self._walked or path not in self._files:
            return
        self._walked.add(seen)
        try:
            source = front_matter(self._files[path], path)[1]
        except TemplateBroken:
            return
        self.walk_source(source, path, scope, self._files[path])

    def walk_source(self, source: str, path: str, scope: Scope | None = None, whole: str = "", line: int = 0) -> None:
        """Follow a piece of Jinja, such as a subject; `line` is how many lines of the file stand above it."""
        before = self._file, self._lines, self._cursor
        self._file, self._lines, self._cursor = path, (whole or "\n" * line + source).splitlines(), {}
        try:
            tree = self._environments[not path.endswith(".txt")].parse("\n" * line + source)
        except TemplateSyntaxError as error:
            self._syntax(error)
        else:
            self._body(tree.body, scope if scope is not None else dict(self._globals))
        finally:
            self._file, self._lines, self._cursor = before

    # ── statements ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _body(self, body: list[nodes.Node], scope: Scope) -> None:
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: nodes.Node, scope: Scope) -> None:
        match node:
            case nodes.Output():
                for child in node.nodes:
                    self._print(child, scope)
            case nodes.For():
                self._loop(node, scope)
            case nodes.If():
                self._kind(node.test, scope)
                for part in (node.body, *[n.body for n in node.elif_], node.else_):
                    self._body(part, scope)
                for other in node.elif_:
                    self._kind(other.test, scope)
            case nodes.Assign():
                self._bind(node.target, self._kind(node.node, scope), self._personal(node.node, scope), scope)
            case nodes.AssignBlock():
                self._body(node.body, scope)
                self._bind(node.target, "text", False, scope)
            case nodes.With():
                inner = dict(scope)
                for target, value in zip(node.targets, node.values, strict=True):
                    self._bind(target, self._kind(value, scope), self._personal(value, scope), inner)
                self._body(node.body, inner)
            case nodes.Macro():
                scope[node.name] = Var("call")
                self._inner(node, {**scope, "caller": Var("call"), "varargs": Var(None), "kwargs": Var(None)})
            case nodes.CallBlock():
                self._kind(node.call, scope)
                self._inner(node, dict(scope))
            case nodes.FilterBlock() | nodes.Scope() | nodes.ScopedEvalContextModifier() | nodes.Block():
                self._filter(getattr(node, "filter", None), scope)
                self._body(node.body, scope if isinstance(node, nodes.FilterBlock) else dict(scope))
            case nodes.Extends() | nodes.Include() | nodes.Import() | nodes.FromImport():
                self._other_file(node, scope)
            case nodes.ExprStmt():
                self._kind(node.node, scope)

    def _inner(self, node: nodes.Macro | nodes.CallBlock, scope: Scope) -> None:
        for argument in node.args:
            scope[argument.name] = Var(None, personal=True)
        for value in node.defaults:
            self._kind(value, scope)
        self._body(node.body, scope)

    def _loop(self, node: nodes.For, scope: Scope) -> None:
        listed = node.iter
        shape, personal = self._kind(listed, scope), self._personal(listed, scope)
        inner = {**scope, "loop": Var(None)}
        if isinstance(shape, str) and shape in {"number", "date", "url", "bool"}:
            self._report("N419", listed, f"'{dotted_name(listed)}' is a {shape}, not a list to loop over")
        self._bind(node.target, shape[0] if isinstance(shape, list) and shape else None, personal, inner)
        if node.test is not None:
            self._kind(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, scope)

    def _bind(self, target: nodes.Node, shape: Shape, personal: bool, scope: Scope) -> None:
        match target:
            case nodes.Name():
                scope[target.name] = Var(shape, personal)
            case nodes.Tuple():
                for item in target.items:
                    self._bind(item, None, personal, scope)

    def _other_file(self, node: nodes.Node, scope: Scope) -> None:
        target = getattr(node, "template", None)
        if isinstance(node, nodes.Import):
            scope[node.target] = Var(None)
        if isinstance(node, nodes.FromImport):
            for name in node.names:
                scope[name if isinstance(name, str) else name[1]] = Var("call")
        if not isinstance(target, nodes.Const):
            if target is not None:
                self._kind(target, scope)
            return
        path = str(target.value)
        if path not in self._files:
            if not getattr(node, "ignore_missing", False):
                hint = did_you_mean(path, self._files)
                self._report("N416", node, f"the file '{path}' is not there", hint=hint, needle=path)
            return
        self.walk(path, dict(scope))

    # ── expressions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _print(self, node: nodes.Node, scope: Scope) -> None:
        if isinstance(node, nodes.TemplateData):
            return
        shape = self._kind(node, scope)
        name = dotted_name(node)
        if isinstance(shape, (dict, list)) and name:
            self._report("N419", node, f"'{name}' is a group of values and cannot be printed", hint=_inside(shape))
        if shape == "call" and name.startswith("links."):
            self._report("N421", node, f"'{name}' needs its name: write {name}(…)")
        if isinstance(node, nodes.Filter) and node.name == "safe" and self._personal(node, scope):
            hint = "leave '|safe' out: a lead could write HTML into your mail"
            self._report("N407", node, "'|safe' on data of a lead", hint=hint, needle="safe")

    def _kind(self, node: nodes.Node, scope: Scope) -> Shape:
        """The shape of an expression, None where it cannot be told; unknown names in it are reported."""
        match node:
            case nodes.Name():
                return self._name(node, scope)
            case nodes.Getattr():
                return self._part(node, node.node, node.attr, scope)
            case nodes.Getitem(arg=nodes.Const(value=str(part))):
                return self._part(node, node.node, part, scope)
            case nodes.Filter():
                return self._filter(node, scope)
            case nodes.Test():
                if node.name not in self._environments[True].tests:
                    hint = did_you_mean(node.name, self._environments[True].tests)
                    self._report("N403", node, f"the test '{node.name}' is not known", hint=hint, needle=node.name)
                self._children(node, scope)
                return "bool"
            case nodes.Call():
                return self._call(node, scope)
            case nodes.Or() | nodes.And():
                left, right = self._kind(node.left, scope), self._kind(node.right, scope)
                return left if left == right else None
            case nodes.Const():
                return None
        self._children(node, scope)
        return None

    def _children(self, node: nodes.Node, scope: Scope) -> None:
        for child in node.iter_child_nodes():
            self._kind(child, scope)

    def _name(self, node: nodes.Name, scope: Scope) -> Shape:
        if node.name in scope:
            self.used.add(node.name)
            return scope[node.name].shape
        if node.name not in {"namespace", "self", "super", "caller"}:
            inside = [
                f"{n}.{node.name}" for n, v in scope.items() if isinstance(v.shape, dict) and node.name in v.shape
            ]
            hint = f"did you mean '{inside[0]}'?" if inside else did_you_mean(node.name, scope)
            self._report("N402", node, f"'{node.name}' is not known here", hint=hint, needle=node.name)
        return None

    def _part(self, node: nodes.Node, owner: nodes.Node, part: str, scope: Scope) -> Shape:
        shape = self._kind(owner, scope)
        name = dotted_name(owner)
        if name:
            self.used.add(f"{name}.{part}")
        if isinstance(shape, dict):
            if part in shape:
                return shape[part]
            code = "N421" if name == "links" else "N402"
            hint = did_you_mean(part, shape) or _inside(shape)
            where = f"'{part}' is not known in '{name}'" if name else f"'{part}' is not known here"
            self._report(code, node, where, hint=hint, needle=f"{name}.{part}" if name else part, underline=part)
        elif isinstance(shape, list) and not isinstance(node, nodes.Getitem):
            self._report("N419", node, f"'{name}' is a list; loop over it with {{% for %}}", needle=f"{name}.{part}")
        return None

    def _filter(self, node: nodes.Filter | None, scope: Scope) -> Shape:
        if node is None:
            return None
        known = self._environments[True].filters
        if node.name not in known:
            hint = did_you_mean(node.name, set(known) - _HIDDEN)
            self._report("N403", node, f"the filter '{node.name}' is not known", hint=hint, needle=node.name)
        inner = self._kind(node.node, scope) if node.node is not None else None
        for child in (*node.args, *[pair.value for pair in node.kwargs]):
            self._kind(child, scope)
        if node.name in {"list", "sort", "reverse", "unique", "selectattr", "rejectattr", "select", "reject"}:
            return inner
        if node.name in {"first", "last"} and isinstance(inner, list):
            return inner[0] if inner else None
        return inner if node.name in {"default", "d"} and isinstance(inner, str) else None

    def _call(self, node: nodes.Call, scope: Scope) -> Shape:
        name = dotted_name(node.node)
        if name.startswith("links."):
            self.used.add(name)
        else:
            self._kind(node.node, scope)
        for child in (*node.args, *[pair.value for pair in node.kwargs]):
            self._kind(child, scope)
        first = node.args[0].value if node.args and isinstance(node.args[0], nodes.Const) else None
        if (
            name == "links.confirm"
            and isinstance(first, str)
            and self._topics is not None
            and first not in self._topics
        ):
            self._report(
                "N421", node, f"there is no topic '{first}'", hint=did_you_mean(first, self._topics), needle=first
            )
        elif name == "links.form" and isinstance(first, str):
            self._form(node, first)
        elif name in {"links.confirm", "links.form"} and not node.args:
            self._report("N421", node, f"'{name}' needs a name, as in {name}('…')", needle=name)
        elif name.startswith("links.") and name.removeprefix("links.") not in LINKS:
            hint = did_you_mean(name.removeprefix("links."), LINKS)
            self._report("N421", node, f"'{name}' is not a link", hint=hint, needle=name)
        return "url" if name.startswith("links.") else None

    def _form(self, node: nodes.Call, form: str) -> None:
        if form not in self._forms:
            self._report("N421", node, f"there is no form '{form}'", hint=did_you_mean(form, self._forms), needle=form)
            return
        for pair in node.kwargs:
            if pair.key not in self._forms[form]:
                hint = did_you_mean(pair.key, self._forms[form])
                self._report("N421", node, f"form '{form}' has no field '{pair.key}'", hint=hint, needle=pair.key)

    def _personal(self, node: nodes.Node, scope: Scope) -> bool:
        names = [node] if isinstance(node, nodes.Name) else list(node.find_all(nodes.Name))
        return any(name.name in scope and scope[name.name].personal for name in names)

    # ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _report(
        self, code: str, node: nodes.Node, message: str, *, hint: str = "", needle: str = "", underline: str = ""
    ) -> None:
        needle = needle or dotted_name(node)
        line, column = self._find(node.lineno, needle)
        if underline and needle.endswith(underline):
            column += len(needle) - len(underline)
            needle = underline
        snippet = self._lines[line - 1] if line <= len(self._lines) else ""
        mark = Mark(self._folder + self._file, line, column, max(1, len(needle)))
        self.problems.append(Problem(mark, code, message, hint=hint, snippet=snippet))

    def _find(self, lineno: int, needle: str) -> tuple[int, int]:
        """Where a name stands: Jinja tells lines only, so each report takes the next place from there on."""
        if not needle:
            return lineno, 1
        pattern = re.compile(rf"(?<![\w.]){re.escape(needle)}(?!\w)")
        start = self._cursor.get((lineno, needle), 0)
        for number in range(lineno, min(lineno + 30, len(self._lines) + 1)):
            if found := pattern.search(self._lines[number - 1], start if number == lineno else 0):
                if number == lineno:
                    self._cursor[lineno, needle] = found.end()
                return number, found.start() + 1
        return lineno, 1

    def _syntax(self, error: TemplateSyntaxError) -> None:
        line = min(error.lineno, len(self._lines)) or 1
        snippet = self._lines[line - 1] if self._lines else ""
        column = len(snippet) - len(snippet.lstrip()) + 1
        mark = Mark(self._folder + self._file, line, column, max(1, len(snippet.strip())))
        self.problems.append(Problem(mark, "N401", _plain_syntax(str(error.message)), snippet=snippet))


def _inside(shape: Shape) -> str:
    inner = shape[0] if isinstance(shape, list) and shape else shape
    if not isinstance(inner, dict) or not inner:
        return ""
    names = list(inner)
    return f"known are: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"


def _plain_syntax(message: str) -> str:
    """Jinja's words, where they speak of Jinja's insides, in the author's."""
    simpler: list[tuple[str, Callable[[re.Match[str]], str]]] = [
        (r"expected token '(.+?)', got '(.+?)'", lambda m: f"expected '{m[1]}' and found '{m[2]}'"),
        (r"unexpected '(.+?)'", lambda m: f"'{m[1]}' is not expected here"),
        (r"Encountered unknown tag '(.+?)'.*", lambda m: f"there is no '{m[1]}' statement"),
        (
            r"Unexpected end of template\..*?innermost block that needs to be closed is '(.+?)'.*",
            lambda m: f"'{m[1]}' is opened and not closed",
        ),
        (r"No (filter|test) named '(.+?)'\.?", lambda m: f"the {m[1]} '{m[2]}' is not known"),
    ]
    for pattern, words in simpler:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return words(found)
    return message.rstrip(".")
