"""Run by the client's own interpreter: each command in a fork, which has the modules already.

A line of JSON in, [script, arguments, file for stdout, file for stderr]; its exit status out. What
the client reads of its configuration while it is imported must be there before this starts.
"""

import importlib
import json
import os
import runpy
import sys


def run(script, arguments, stdout, stderr):
    for descriptor, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def forked(asked):
    """In the fork: never returns."""
    status = 1
    try:
        run(*asked)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 (nothing may return into the parent's loop)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main():
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the client prints while it is imported is no reply
    importlib.import_module("flow_client.flow")
    sys.stdout.flush()
    for line in sys.stdin:
        child = os.fork() or forked(json.loads(line))
        replies.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        replies.flush()


if __name__ == "__main__":
    main()
