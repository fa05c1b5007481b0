"""Put a finished site in the place of the last one: publish.py SITE LINK

LINK names a folder that holds one site, whole: it is a link, and changing what it points to takes one step of the file
system. Whenever this is killed, the last site or the new one stands there.
"""

import shutil
import sys
from pathlib import Path
from secrets import token_hex


def main(site, link):
    folder = link.with_name(f"{link.name}-{token_hex(4)}")
    (site / "index.html").touch()  # make compares its age with that of what the site is made from
    site.rename(folder)
    new = link.with_name(f"{folder.name}-link")
    new.symlink_to(folder.name)
    if link.is_dir() and not link.is_symlink():  # as sites stood before there was a link
        link.rename(link.with_name(f"{link.name}-old"))
    new.replace(link)
    for old in link.parent.glob(f"{link.name}-*"):
        if old.is_symlink():
            old.unlink()
        elif old != folder:
            shutil.rmtree(old)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
