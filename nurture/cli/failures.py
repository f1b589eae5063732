"""What a person sees when a command fails: their own problem in plain words, ours with a log to paste."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from nurture.clock import machine_now
from nurture.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, EXIT_USER, Bug, NurtureError

# ClickException, by way of typer: it brings its own copy of click, and which one differs between its versions.
_USAGE: Any = typer.BadParameter.__mro__[2]


def guarded(action: Callable[[], Any]) -> int:
    """Do it and return the exit code; every failure is told on stderr."""
    try:
        done = action()
    except typer.Exit as ended:
        return int(ended.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except _USAGE as error:
        error.show()
        return EXIT_USER
    except BrokenPipeError:
        # The reader of our output has gone; what is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except NurtureError as error:
        return _told(error)
    except Exception as error:
        return _ours(error)
    return done if isinstance(done, int) else EXIT_DONE


def _told(error: NurtureError) -> int:
    if isinstance(error, Bug) or error.exit_code == EXIT_BUG:
        return _ours(error)
    from nurture.campaign.problems import ProjectProblems

    if isinstance(error, ProjectProblems):
        typer.echo(str(error), err=True)
    else:
        typer.echo(f"error: {error.message}", err=True)
    if error.hint:
        typer.echo(f"  {error.hint}", err=True)
    return error.exit_code


def _ours(error: BaseException) -> int:
    """Our fault: a log file with what a person can send us. It names the command, not its arguments."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    lines = [
        f"nurture {_own_version()} · Python {platform.python_version()} · {platform.platform()}",
        f"command: nurture {command}",
        f"at: {machine_now().isoformat(timespec='seconds')}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    with tempfile.NamedTemporaryFile(
        "w", prefix="nurture-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
    ) as log:
        log.write("\n".join(lines))
    typer.echo(f"error: this is our fault, not yours ({type(error).__name__})", err=True)
    typer.echo(f"  please send us this file; look through it first: {log.name}", err=True)
    return EXIT_BUG


def _own_version() -> str:
    try:
        return version("nurture")
    except PackageNotFoundError:
        return "(not installed)"
