"""The conventions that every notebook of the book keeps.

Each rule is a function of a :class:`Notebook` that yields, for every breach, the cell (or None for the whole notebook)
and what is wrong and mends it; :func:`breaches` puts the place before it.
"""

from rules import claims, form, practice, reference
from rules.notebook import Notebook, repeated_labels

__all__ = ["REFERENCE", "RULES", "SOURCE", "Notebook", "breaches", "repeated_labels"]

SOURCE = (
    form.is_python,
    form.begins_with_its_title,
    form.has_cells_of_known_roles,
    form.opens_what_readers_learn_from,
    form.draws_each_figure_in_a_function,
    form.leaves_warnings_alone,
    form.shows_its_figures_with_words,
    form.checks_its_parameters_right_away,
    claims.labels_its_equations,
    claims.checks_every_claim,
    claims.verifies_in_checks_alone,
    claims.compares_two_routes,
    practice.has_a_solution_to_each_exercise,
    practice.checks_what_readers_write,
    practice.defines_what_it_names,
    practice.runs_without_its_solutions,
    practice.runs_without_its_checks,
)
REFERENCE = (
    reference.has_the_same_cells,
    reference.was_executed,
    reference.keeps_nothing_that_changes_from_run_to_run,
)
RULES = SOURCE + REFERENCE


def breaches(rule, notebook):
    """What ``rule`` finds in a notebook, each line with its place; most rules find nothing where it is not Python."""
    if rule is not form.is_python and any(form.is_python(notebook)):
        return []
    return [f"{notebook.place(cell)}: {message}" for cell, message in rule(notebook)]
