from hypothesis import settings

settings.register_profile("book", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("book")


def pytest_addoption(parser):
    parser.addoption("--page", help="of the tests of the book, run those of this page alone, such as gnn/molecules")
    parser.addoption("--site", default="build/smoke/html", help="the folder of the built pages")
