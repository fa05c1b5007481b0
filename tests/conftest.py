from hypothesis import settings

settings.register_profile("book", deadline=None)  # how long an example takes depends on the machine
settings.load_profile("book")
