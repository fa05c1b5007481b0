from hypothesis import settings

settings.register_profile("book", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("book")


def pytest_addoption(parser):
    parser.addoption("--page", help="test this page of the book alone, such as gnn/molecules")
