"""Loading a model never runs code from it: not from its weights, its checkpoint, or what its specification names."""

import hashlib
import io
import pickle
import tracemalloc

import pytest
import torch
from bad_models import OUTLINE, Payload, finished_run

from mrfusion import families
from mrfusion.errors import InputError, MrFusionError, SpecError
from mrfusion.finished_run.load import read_run
from mrfusion.run_folder.run import RunFolder
from mrfusion.spec import RunSpec
from mrfusion.training.assemble import load_network, make_network
from mrfusion.training.checkpoint import load_checkpoint
from mrfusion.training.inherit import inherit
from mrfusion.training.loop import save_weights
from tiny import run_spec


def torch_pickle():
    stream = io.BytesIO()
    torch.save({"network": Payload()}, stream)
    return stream.getvalue()


PAYLOADS = {"pickle": pickle.dumps(Payload(), protocol=2), "torch": torch_pickle()}


@pytest.mark.parametrize("content", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("name", ["last.pt", "previous.pt"])
def test_a_checkpoint_with_a_right_checksum_cannot_run_code(name, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(hashlib.sha256(content).hexdigest().encode() + content)
    with pytest.raises(InputError, match="nothing was run; delete the file"):
        load_checkpoint(RunFolder(tmp_path))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", PAYLOADS.values(), ids=PAYLOADS)
def test_weights_cannot_run_code_wherever_they_are_loaded(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = finished_run(tmp_path)
    for name in ("model.safetensors", "best.safetensors"):
        (folder / name).write_bytes(content)
    run = read_run(folder)
    network = make_network(run.spec, run.outline)
    for load in (
        lambda: load_network(run.spec, run.outline, folder / "model.safetensors"),
        lambda: inherit(network, run.spec.plan, [RunFolder(folder)]),
        lambda: families.load("losses", f"fusion(extractor=vgg16,weights='{folder / 'model.safetensors'}')")(False),
    ):
        with pytest.raises(MrFusionError):
            load()
    assert not (tmp_path / "owned").exists()


def test_a_network_far_larger_than_its_weights_is_never_made(tmp_path):
    spec = run_spec(plan="separate[energy]", network="unet(base=4,stages=2,norm=instance)")
    save_weights(tmp_path / "w.safetensors", make_network(spec, OUTLINE))
    load_network(spec, OUTLINE, tmp_path / "w.safetensors")
    larger = spec.changed({"network": "unet(base=1024,stages=6,norm=instance)"})
    tracemalloc.start()
    with pytest.raises(InputError, match="expected a network that fits its weights"):
        load_network(larger, OUTLINE, tmp_path / "w.safetensors")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_code_of_ones_own_is_run_once_it_is_trusted(tmp_path):
    folder = finished_run(tmp_path, network="mrfusion.backbones.unet:Unet(base=4,stages=1)")
    for trusted in ((), ("mrfusion.backbone",), ("backbones",)):
        with pytest.raises(SpecError, match=r"--trust mrfusion.backbones.unet"):
            read_run(folder, trusted)
    assert isinstance(read_run(folder, ("mrfusion.backbones",)).spec, RunSpec)
    assert isinstance(read_run(folder, None).spec, RunSpec)
