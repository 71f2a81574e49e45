"""The program on disk, which an upgrade starts."""
import shutil

import pytest

from lib.adopted import adopt_orphans
from lib.wait import BINARY


@pytest.fixture
def program(tmp_path):
    """program() is the path of a copy of the gateway's binary; program(text) puts a script in its place."""
    path = tmp_path / "portico"

    def put(script=None):
        new = tmp_path / "portico.new"
        if script:
            new.write_text(f"#!/bin/sh\n{script}\n")
        else:
            shutil.copy(BINARY, new)
        new.chmod(0o755)
        new.rename(path)
        return path
    adopt_orphans()
    return put
