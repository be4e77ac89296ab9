"""Carrying out one job in whatever process an executor has for it; what goes wrong becomes its outcome."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mrfusion.errors import MrFusionError, notes_to, of_the_system
from mrfusion.executors._base import Job, Outcome


def carry_out(job: Job) -> Outcome:
    """Import the function that the job names, call it, and say what became of it and what it noted."""
    notes: list[str] = []
    with notes_to(notes.append):  # the terminal of this process may be on another machine
        outcome = _called(job)
    return replace(outcome, notes=tuple(notes))


def function_at(address: str) -> Callable[..., Any]:
    """The function at ``package.module:function``; its module is imported."""
    module, function = address.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _called(job: Job) -> Outcome:
    try:
        return Outcome(job, result=function_at(job.function)(*job.arguments))
    except MrFusionError as error:
        return Outcome(job, failure=str(error), expected=True)
    except OSError as error:
        return Outcome(job, failure=of_the_system(error), expected=True)
    except Exception:
        return Outcome(job, failure=traceback.format_exc())
