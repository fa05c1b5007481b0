"""Files of the project: where they are, and the one way to write them.

A file that is written here is there whole or as it was before, whenever the process, the disk or the power fails.
"""

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

PROJECT = Path(__file__).resolve().parents[2]


def write(path, content):
    """Write text (UTF-8) or bytes to ``path``, whose folder is made when it is missing, and return the path.

    Raises OSError that names ``path`` when that fails; what stood there then still stands there.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return Path(path)


@contextmanager
def replacing(path):
    """Yield a binary file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    The content is on the disk before the name is, and the name is before this returns: after a power cut there is
    either the old file or the whole new one. A killed process may leave a file ``.NAME.….tmp`` beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"{error.strerror}; what stood there still does", str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder):
    """Put the names in a folder on the disk, where the system can: a renamed file is else lost by a power cut."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the file itself is safe
        pass
    finally:
        os.close(descriptor)
