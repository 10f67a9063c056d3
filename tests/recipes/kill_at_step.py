"""Run a recipe in this process and kill it at the end of a step, as `kill -9` would: `STEP SCRIPT [OPTION …]`."""

import os
import runpy
import signal
import sys
from typing import Any

from bioft.training import following


class Killed(following._Following):
    """Follows the training up to the step."""

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Go on, or end at once."""
        if state.global_step == LAST:
            os.kill(os.getpid(), signal.SIGKILL)


LAST = int(sys.argv[1])
following._Following = Killed  # type: ignore[misc]
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
