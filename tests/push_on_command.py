"""Push runs in child processes that a test may kill: importing the libraries once, and starting each on command.

python -m tests.push_on_command ENDPOINT

Reads lines `RUN REPOSITORY`, writes the child's process id, starts the push at the next line, and writes the exit
code when the child has ended (negative: the signal that killed it).
"""

import os
import sys

from bioft.hub import push as hub
from bioft.storage.retries import RetryPolicy

for line in sys.stdin:
    run, repository = line.split()
    child = os.fork()
    if child == 0:
        sys.stdin.readline()
        hub.send_run(run, repository, endpoint=sys.argv[1], policy=RetryPolicy(attempts=1))
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
