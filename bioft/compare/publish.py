"""A finished run on its way to the Hub, also from Python and at the end of a training: checked, then pushed."""

import shlex
from pathlib import Path
from typing import Unpack

from bioft.compare.outcomes import check_publishable
from bioft.errors import BioftError
from bioft.hub import push
from bioft.hub.push import PushOptions, PushResult

__all__ = ["PushOptions", "PushResult"]


def push_adapter(
    run: str | Path, repo_id: str, *, accept_terms: bool = False, **options: Unpack[PushOptions]
) -> PushResult:
    """Push a finished run that states nothing which its stored predictions refute, as `push.send_run` sends it.

    BioftError: as `outcomes.check_publishable` and `push.send_run`; nothing was sent.
    """
    check_publishable(Path(run))
    return push.send_run(run, repo_id, accept_terms=accept_terms, **options)


def push_finished_run(run: Path, repo_id: str) -> None:
    """Push a run that has just finished and print where it is.

    BioftError: why it was not pushed, and the command that does it. The run itself is complete.
    """
    finish = f"The run is complete in {run}. To push it: {shlex.join(['bioft', 'push-adapter', str(run), repo_id])}"
    try:
        result = push_adapter(run, repo_id)
    except BioftError as error:
        raise BioftError(f"{error}\n{finish}") from error
    except KeyboardInterrupt:
        raise BioftError(f"The push was interrupted.\n{finish}") from None
    print(f"Pushed to {result.url} (private), commit {result.commit}")
