"""What is read from a notebook's text of the names that it needs, against what Python says when it runs."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules.names import Names


def missing(*cells, stubs=()):
    names = Names()
    for number, cell in enumerate(cells):
        names.run(number, cell, stubs=number in stubs)
    names.end()
    return sorted({name for _, name in names.missing}), sorted({name for _, name in names.stubbed})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["print(a)"], "a"),
        (["a = a + 1"], "a"),
        (["a += 1"], "a"),
        (["a = 1\ndel a\na"], "a"),
        (["for i in a:\n    b = i\nprint(i, b)"], "a"),
        (["if a:\n    b = 1\nelse:\n    b = 2\nb"], "a"),
        (["with open(a) as b:\n    b"], "a"),
        (["try:\n    a\nexcept b as c:\n    c\nfinally:\n    d = 1\nd"], "ab"),
        (["match 1:\n    case int(b) if a:\n        b"], "a"),
        (["[b for b in range(3)]", "b"], "b"),
        (["[a * b for b in range(3)]"], "a"),
        (["b = [(c := 1)]\nc"], ""),
        (["lambda b: a + b"], "a"),
        (['f"{a:{b}}"'], "ab"),
        (["import b.c, d as e\nfrom f import g\nb, e, g"], ""),
        (["@a\ndef f(x=b) -> c: ..."], "abc"),
        (["def f():\n    return a"], "a"),
        (["def f():\n    return a", "a = 1", "f()"], ""),
        (["def f():\n    return a", "f()", "a = 1"], "a"),
        (["def f():\n    return g()", "def g():\n    return a", "x = f", "a = 1"], "a"),
        (["def f(n):\n    return f(n - 1) if n else a", "a = 1", "f(3)"], ""),
        (["def f():\n    def g():\n        return a\n    return g()", "f()"], "a"),
        (["def f(a):\n    b = 1\n    return lambda c: a + b + c", "f(1)"], ""),
        (["class C(a):\n    b = 1\n    c = [b, d]"], "ad"),
        (["class C:\n    def f(self):\n        return a", "C()"], "a"),
        (["def f(): return a", "def f(): return 1", "f()"], ""),
        (["print(len(__name__), In, get_ipython)"], ""),
    ],
)
def test_what_is_missing(cells, expected):
    assert missing(*cells) == (list(expected), [])


def test_what_is_a_stub_until_it_is_defined_anew():
    assert missing("def f(): ...", "f()", stubs=[0]) == ([], ["f"])
    assert missing("def f(): ...", "def g():\n    return f()", "g()", stubs=[0]) == ([], ["f"])
    assert missing("def f(): ...", "def f():\n    return 1", "f()", stubs=[0]) == ([], [])


NAMES = ["a", "b", "f", "g"]
LINES = st.one_of(
    st.builds("{} = 1".format, st.sampled_from(NAMES)),
    st.builds("{} = {}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("{} = [{} for {} in (1, 2)]".format, *[st.sampled_from(NAMES)] * 3),
    st.builds("def {}():\n    return {}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("def {0}():\n    {1} = 1\n    return {1}".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds("if callable({0}): {0}()".format, st.sampled_from(NAMES)),
    st.builds("for {} in (1, 2):\n    {} += 1".format, st.sampled_from(NAMES), st.sampled_from(NAMES)),
)


@given(st.lists(LINES, max_size=8))
@example(["def f():\n    return a", "if callable(f): f()", "a = 1"])
def test_what_python_does_not_find_was_told_to_be_missing(lines):
    try:
        exec("\n".join(lines), {})
    except NameError as error:
        assert error.name in missing(*lines)[0]
    except (TypeError, RecursionError):
        pass
