"""What holds for all tests of all packages."""

import hashlib
import os
import re
from pathlib import Path

# numba compiles a function anew when its file has changed, not when that of another function has which it calls: a bug
# planted there would stay out of the tests. So what it keeps goes by the contents of all compiled files.
_SOURCES = sorted(Path(__file__).parent.glob("plugins/*/zoo_*/**/*.py"))
_COMPILED = [path.read_bytes() for path in _SOURCES if re.search("numba|@compiled", path.read_text())]
_CONTENTS = hashlib.sha256(b"".join(_COMPILED)).hexdigest()[:16]
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parent / ".pytest_cache" / "numba" / _CONTENTS))
