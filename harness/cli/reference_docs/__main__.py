"""``python -m harness.cli.reference_docs FOLDER``: write the generated pages that are out of date."""

import sys
from pathlib import Path

from harness.cli.output import stdout
from harness.cli.reference_docs.pages import write

for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
    stdout.print(f"wrote {path}", highlight=False, markup=False, soft_wrap=True)
