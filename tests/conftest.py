import re

import contents

import pytest
from hypothesis import settings

settings.register_profile("book", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("book")


def pytest_addoption(parser):
    parser.addoption("--page", help="of the tests of the book, run those of this page alone, such as gnn/molecules")
    parser.addoption("--site", default="build/smoke/html", help="the folder of the built pages")


def pytest_collection_modifyitems(items):
    """What takes long by itself goes first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.parent.name == "book")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Of tests side by side, those of one page are for one process, which opens it once; so are those of one file,
    which share what they make. (xdist's own groups come to nothing with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    pages = re.compile(rf"^tests/book/.*[\[-]({'|'.join(map(re.escape, contents.pages()))})[\]-]")

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            page = pages.search(nodeid)
            return page[1] if page else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return Together(config, log)
