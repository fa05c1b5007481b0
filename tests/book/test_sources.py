"""Every notebook of the book keeps the conventions; tests/test_rules.py holds what tells when one does not."""

from functools import cache

import contents

import pytest

from notebooks import sources
from rules import RULES, Notebook, breaches, repeated_labels

notebook = cache(Notebook)  # which tests look at, rule by rule
NOTEBOOKS = [page for page in contents.pages() if (contents.BOOK / f"{page}.py").exists()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook(name, rule):
    found = breaches(rule, notebook(contents.BOOK / f"{name}.py"))
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_no_label_is_given_twice():
    found = repeated_labels([notebook(source) for source in sources()])
    if found:
        pytest.fail("\n".join(found), pytrace=False)
