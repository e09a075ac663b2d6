"""What a job says goes to its log file and to the screen, with the traceback if it fails."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tamflux.errors import TamfluxError

log = logging.getLogger("tamflux")


@contextmanager
def job_log(path: str | Path, title: str) -> Iterator[logging.Logger]:
    """Log a job to `path` and to stderr: its title, its messages, how long it took.

    A `TamfluxError` ends the process with exit code 1 and its message alone on the screen
    (the traceback goes to the log); any other exception is logged and raised.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    screen = logging.StreamHandler(sys.stderr)
    handlers: list[logging.Handler] = [logging.FileHandler(path, mode="w"), screen]
    formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    for handler in handlers:
        handler.setFormatter(formatter)
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    start = time.monotonic()
    log.info("%s: start", title)
    try:
        yield log
    except TamfluxError as error:
        screen.setLevel(logging.CRITICAL)
        log.exception("%s: failed after %.1f s", title, time.monotonic() - start)
        print(f"\n{type(error).__name__}: {error}\n", file=sys.stderr)
        raise SystemExit(1) from error
    except BaseException:
        log.exception("%s: failed after %.1f s", title, time.monotonic() - start)
        raise
    else:
        log.info("%s: done in %.1f s", title, time.monotonic() - start)
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()
