"""The page of questions lists every question of the two documents, and leads from each to what answers it."""

import re
from functools import cache

import pytest

from helpers.files import PROJECT
from notebooks import sources
from rules import Notebook

# Every question of the documents, with the chapter whose exercises answer it.
ASSIGNMENT = {
    "cnn/layers": ["1.1"],
    "cnn/robustness": ["1.2 (a)"],
    "cnn/robust_networks": ["1.2 (b)"],
    "rnn/bptt": ["2.1 (a)"],
    "rnn/vanishing": ["2.1 (b)"],
    "rnn/lstm": ["2.2 (a)", "2.2 (b)", "2.3"],
    "rnn/text_generation": ["2.4 (a)", "2.4 (b)", "2.4 (c)"],
    "gnn/message_passing": ["3.1"],
    "gnn/circulant": ["3.2", "3.3 (a)", "3.3 (b)", "3.3 (b), second"],
    "gnn/fourier": ["3.4 (a)"],
    "gnn/equivariance": ["3.4 (b)"],
    "gnn/attention": ["3.5"],
    "gnn/molecules": ["3.6 (a)", "3.6 (b)", "3.6 (c)"],
    "gnn/molecule_networks": ["3.6 (d)"],
}
REPORT = {
    "rnn/bptt": ["1.1"],
    "rnn/palindromes": ["1.2", "1.3", "1.6"],
    "rnn/optimizers": ["1.4"],
    "rnn/lstm": ["1.5 (a)", "1.5 (b)"],
    "rnn/text_generation": ["2.1 (a)", "2.1 (b)", "2.1 (c)"],
    "gnn/message_passing": ["3.1 (a)"],
    "gnn/depth": ["3.1 (b)"],
    "gnn/combining": ["3.3 (a)"],
    "gnn/graphs_in_time": ["3.2", "3.3 (b)"],
}
DOCUMENTS = {"Assignment of 2021": ASSIGNMENT, "Report of 2019": REPORT}
PAGE = (PROJECT / "book" / "appendix" / "questions.md").read_text()


@cache
def exercises():
    """The labels of the exercises of each chapter that is there."""
    chapters = {}
    for notebook in map(Notebook, sources()):
        labels = [label for cell in notebook.words for label in cell.all_labels]
        chapters[notebook.name] = {label for label in labels if label.startswith("ex-")}
    return chapters


def answers(page):
    """What the page says to each question: {document: {question: what stands in the last column}}."""
    _, *sections = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    tables = {}
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        rows = [line.strip("|").split("|") for line in re.findall(r"^\|.+\|$", text, re.MULTILINE)][2:]
        tables[heading] = {row[0].strip(): row[-1].strip() for row in rows}
    return tables


def wrong(page, chapters):
    """What is wrong with a page of questions, in words, for a book with these chapters and their exercises."""
    told = answers(page)
    for document, expected in DOCUMENTS.items():
        listed = told.get(document, {})
        for question in listed.keys() - {question for questions in expected.values() for question in questions}:
            yield f"{document} has no question {question}: take the row out"
        for chapter, questions in expected.items():
            for question in questions:
                where, answer = f"question {question} of the {document}", listed.get(question)
                labels = set(re.findall(r"\{ref\}`(ex-[\w-]+)`", answer or ""))
                if answer is None:
                    yield f"{where} is missing: it takes a row, due with `{chapter}` or with a {{ref}} to its exercise"
                elif chapter not in chapters and answer != f"due with `{chapter}`":
                    yield f"{where} has no chapter {chapter} in the contents to answer it yet: due with `{chapter}`"
                elif chapter in chapters and "due" in answer:
                    yield f"{where} is due with {chapter}, which is there: give the {{ref}} to its exercise"
                elif chapter in chapters and not labels & chapters[chapter]:
                    yield f"{where} leads to no exercise of {chapter}: give the {{ref}} to its label ex-…"
                for label in sorted(labels - set().union(*chapters.values())):
                    yield f"{where} leads to {label}, and no exercise has that label"


def test_every_question_of_the_sources_is_answered_by_an_exercise_or_due_with_a_chapter_to_come():
    found = list(wrong(PAGE, exercises()))
    assert not found, "\n" + "\n".join(found)


def test_numbers_stand_in_the_order_of_the_documents():
    for listed in answers(PAGE).values():
        assert list(listed) == sorted(listed)


# A book of two chapters, each with one exercise, and the page of questions that it should have.
THERE = {"gnn/attention": {"ex-attention"}, "gnn/combining": {"ex-combining"}}


def good_page():
    lines = []
    for document, expected in DOCUMENTS.items():
        lines += [f"## {document}", "| question | it asks | answered in |", "|---|---|---|"]
        for chapter, questions in expected.items():
            (label,) = THERE.get(chapter, [None])
            answer = f"{{ref}}`{label}`" if label else f"due with `{chapter}`"
            lines += [f"| {question} | something | {answer} |" for question in questions]
    return "\n".join(lines)


def test_a_good_page_is_one():
    assert list(wrong(good_page(), THERE)) == []


@pytest.mark.parametrize(
    ("old", "new", "landed", "says"),
    [
        (
            "| 1.1 |",
            "| 1.7 |",
            {},
            ["has no question 1.7: take the row out", "1.1 of the Assignment of 2021 is missing"],
        ),
        (
            "`ex-attention`",
            "`ex-gone`",
            {},
            ["3.5 of the Assignment of 2021 leads to no exercise of gnn/attention", "gone"],
        ),
        (
            "`ex-attention`",
            "`ex-combining`",
            {},
            ["leads to no exercise of gnn/attention: give the {ref} to its label"],
        ),
        (
            "{ref}`ex-combining`",
            "due with `gnn/combining`",
            {},
            ["is due with gnn/combining, which is there: give the"],
        ),
        ("`cnn/layers`", "`cnn/layer`", {}, ["has no chapter cnn/layers in the contents to answer it yet: due with"]),
        (
            "",
            "",
            {"rnn/optimizers": {"ex-ravine"}},
            ["1.4 of the Report of 2019 is due with rnn/optimizers, which is th"],
        ),
    ],
)
def test_what_is_wrong_with_the_page_is_told(old, new, landed, says):
    page = good_page()
    assert old in page
    found = list(wrong(page.replace(old, new, 1), THERE | landed))
    assert len(found) == len(says)
    for text in says:
        assert any(text in line for line in found), found
