"""Task recipes for biomedical language models, honest by construction."""

import logging
import os
import sys
from pathlib import Path
from types import TracebackType

from bioft import threads as threads  # which sets what PyTorch reads when it is imported

__version__ = "0.1.0"

# Said while the trainers are imported, so that nothing later can keep it back: a kernel that bioft does not use, as it
# has no gradient (`bioft.models.base`).
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(lambda record: "gemm_4bit_forward" not in str(record.msg))


def _without_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one line that the command or a recipe was stopped while libraries were imported: nothing else is open."""
    script = Path(sys.argv[0])
    ours = {"bioft", "recipes", "_recipes", "-m"} & {script.stem, script.parent.name}
    if not issubclass(kind, KeyboardInterrupt) or not ours:
        sys.__excepthook__(kind, error, trace)
    elif os.environ.get("RANK", "0") == "0":
        print("Interrupted before anything was begun.", file=sys.stderr)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _without_traceback
