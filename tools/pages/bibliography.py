"""Entries of the bibliography are labelled as the text cites them, by authors and year, and lead to where they are."""

from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style as Unsorted
from pybtex.style.labels import BaseLabelStyle


class AuthorYear(BaseLabelStyle):
    """*Kipf and Welling, 2017*, or *Veličković et al., 2018* where there are more than two.

    Two works of the same authors and year would be told of as duplicates: ``references.bib`` gives years like 2018a.
    """

    def format_labels(self, sorted_entries):
        return [f"{authors(entry.persons['author'])}, {entry.fields['year']}" for entry in sorted_entries]


def authors(persons):
    names = [" ".join(map(str, [*person.rich_prelast_names, *person.rich_last_names])) for person in persons]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


class Style(Unsorted):
    """By authors, then year; DOI and arXiv numbers are links."""

    default_label_style = AuthorYear
    default_sorting_style = "author_year_title"


def setup(app):
    register_plugin("pybtex.style.formatting", "book", Style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
