"""Which names a notebook uses at run time, and whether they are defined by then: read from its text, nothing is run.

What the body of a function names is needed where the function is first named after its definition (that may call it),
and at the end of the notebook at the latest.
"""

import ast
import builtins
import copy
import symtable

ALWAYS = {*vars(builtins), "__name__", "__doc__", "In", "Out", "get_ipython", "display"}
INLINE = {"listcomp", "setcomp", "dictcomp", "genexpr", "lambda"}  # scopes that run, or may run, where they stand


class Names:
    """What is defined after the cells that :meth:`run` went through, in their order.

    ``missing`` holds a pair (cell, name) for each name that was needed by then and not defined, and ``stubbed`` one
    for each use of a name that is defined as a stub only.
    """

    def __init__(self):
        self.defined, self.stubs = set(ALWAYS), set()
        self.needs = {}  # of each function or class: where it was defined, and what its body names
        self.missing, self.stubbed = [], []

    def run(self, cell, code, stubs=False, may_use_stubs=False):
        """Go through the code of a cell as Python would; with ``stubs``, what it defines are stubs."""
        self.cell, self.making_stubs, self.may_use_stubs = cell, stubs, may_use_stubs
        self._block(ast.parse(code).body)

    def end(self):
        """Look into the functions that nothing has named yet."""
        self.may_use_stubs = True  # of a function that is never called
        for name, (cell, _) in list(self.needs.items()):
            self._use(name, cell, set())

    def _block(self, statements):
        for statement in statements:
            head, blocks = _cut(statement)
            table = symtable.symtable(ast.unparse(head), "cell", "exec")
            used = _used(table)
            if isinstance(statement, ast.AugAssign | ast.Delete):  # their targets are no uses, to the table
                targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
                used |= {target.id for target in targets if isinstance(target, ast.Name)}
            for name in sorted(used):
                self._use(name, self.cell, set())
            for symbol in table.get_symbols():
                if symbol.is_assigned() or symbol.is_imported():
                    self._define(symbol.get_name(), statement, table)
            for block in blocks:
                self._block(block)

    def _use(self, name, cell, seen):
        """The code of ``cell`` looks ``name`` up, now; what a call of it would look up is needed, too."""
        if name not in self.defined:
            self.missing.append((cell, name))
        elif name in self.stubs and not self.may_use_stubs:
            self.stubbed.append((cell, name))
        elif name in self.needs and name not in seen:
            seen.add(name)
            cell, named = self.needs[name]
            for needed in sorted(named):
                self._use(needed, cell, seen)

    def _define(self, name, statement, table):
        if isinstance(statement, ast.Delete):
            self.defined.discard(name)
            return
        self.defined.add(name)
        self.needs.pop(name, None)
        (self.stubs.add if self.making_stubs else self.stubs.discard)(name)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.needs[name] = self.cell, set().union(*map(_named, table.get_children()))


def _cut(statement):
    """A statement without the blocks of statements in it, and these blocks; a definition is one piece."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement, []
    head, blocks = copy.copy(statement), []
    for field, value in ast.iter_fields(statement):
        if not (isinstance(value, list) and value):
            continue
        if isinstance(value[0], ast.stmt):
            blocks.append(value)
            setattr(head, field, [ast.Pass()])
        elif isinstance(value[0], ast.excepthandler | ast.match_case):
            inner = [copy.copy(part) for part in value]
            for part in inner:
                blocks.append(part.body)
                part.body = [ast.Pass()]
            setattr(head, field, inner)
    return head, blocks


def _used(table):
    """The global names that are looked up when the code of a table of symbols runs."""
    module = table.get_type() == "module"
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (module or s.is_global())}
    for child in table.get_children():
        if child.get_type() == "class" or child.get_name() in INLINE:
            used |= _used(child)
    return used


def _named(table):
    """The global names that the code of a table, and all code inside it, looks up."""
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
    return own.union(*map(_named, table.get_children()))
