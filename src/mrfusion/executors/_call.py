"""Carrying out one job in whatever process an executor has for it; what goes wrong becomes its outcome."""

import importlib
import traceback

from mrfusion.errors import MrFusionError
from mrfusion.executors._base import Job, Outcome


def carry_out(job: Job) -> Outcome:
    """Import the function that the job names, call it, and say what became of it."""
    module, function = job.function.split(":")
    try:
        return Outcome(job, result=getattr(importlib.import_module(module), function)(*job.arguments))
    except MrFusionError as error:
        return Outcome(job, failure=str(error), expected=True)
    except Exception:
        return Outcome(job, failure=traceback.format_exc())
