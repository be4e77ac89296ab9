"""What a run was carried out with, and what it cost."""

import importlib.metadata
import platform
import sys
from typing import Any

import torch
from torch import nn

from mrfusion import __version__, hardware
from mrfusion.run_folder.history import History
from mrfusion.run_folder.quantity import PHASE, SCORE, SECONDS
from mrfusion.training.optimiser import count_parameters

LIBRARIES = ("mrfusion", "torch", "monai", "lightning-fabric", "numpy", "nibabel")


def environment(network: nn.Module, history: History, *, steps_per_epoch: int, device: torch.device) -> dict[str, Any]:
    """Versions, machine, command line; parameters, epochs, optimiser steps, seconds, peak memory in MiB."""
    epochs = len(history.of(SECONDS))
    phases = {epoch: value for epoch, name, value in history.rows if name == PHASE}
    last = max(phases.values(), default=0)  # the phase whose best epoch is kept
    scores = {e: value for e, name, value in history.rows if name == SCORE and phases.get(e, last) == last}
    return {
        "versions": {name: _version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]},
        "machine": {"host": platform.node(), "system": platform.platform(), "device": str(device)} | _gpu(device),
        "threads": torch.get_num_threads(),
        "command": " ".join(sys.argv),
        "parameters": count_parameters(network),
        "epochs": epochs,
        "best_epoch": max(scores, key=scores.__getitem__) if scores else 0,
        "steps": epochs * steps_per_epoch,
        "train_seconds": sum(history.of(SECONDS)),
        "peak_mib": peak_mib(device),
    }


def _gpu(device: torch.device) -> dict[str, str]:
    """What a GPU is called, and by what it is driven; nothing on a CPU."""
    if device.type != "cuda":
        return {}
    name, driver = torch.cuda.get_device_name(device), hardware.gpu_driver()
    return {"gpu": name, "driver": driver or "not known", "cuda": str(torch.version.cuda)}


def peak_mib(device: torch.device) -> float:
    """Peak memory since :func:`reset_peak`: of the GPU, or of the process (all pages in memory, mapped ones too)."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else hardware.peak_mib()


def reset_peak(device: torch.device) -> None:
    """Begin a new measurement of peak memory, of the GPU or of the process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        hardware.reset_peak()


def _version(library: str) -> str:
    """The version that a library was installed as; a copy without that record must not end a finished training. Ours is
    that of the code which ran, whatever an editable installation recorded once."""
    if library == "mrfusion":
        return __version__
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not known"
