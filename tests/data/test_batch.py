"""Batches: the same ones whoever reads them, in order, and one ahead of their use."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from mrfusion.augmentations._base import Augmentation
from mrfusion.augmentations.light import Light
from mrfusion.data.batch import Batch, Batches, Share, collate, moved, read_ahead
from mrfusion.data.sample import Draw, LoadedCase, Sampler
from tiny import loaded_cases


def sampler_of(cases: list[LoadedCase], size: tuple[int, int, int] = (1, 8, 8), per_case: int = 5) -> Sampler:
    return Sampler(cases, size, per_case=per_case, foreground=0.5, every_slice=False, seed=3)


def assert_same(first: Batch, second: Batch) -> None:
    assert first.ids == second.ids
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.present, second.present)
    assert torch.equal(first.classes, second.classes)


@pytest.mark.parametrize("augmentation", [None, Light()])
def test_batches_are_a_function_of_seed_and_epoch(augmentation: Augmentation | None) -> None:
    first, second = (Batches(sampler_of(loaded_cases(3)), 4, augmentation) for _ in range(2))
    list(first.epoch(0))
    for number in (5, 0):
        for one, other in zip(first.epoch(number), second.epoch(number), strict=True):
            assert_same(one, other)
    epochs = [next(iter(first.epoch(n))) for n in (0, 1)]
    assert not torch.equal(epochs[0].images, epochs[1].images)


@pytest.mark.parametrize("size", [(1, 8, 8), (2, 8, 8)])
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_read_the_same_batches_together(size: tuple[int, int, int], processes: int) -> None:
    cases = loaded_cases(3)
    whole = list(Batches(sampler_of(cases, size), 4, Light()).epoch(2))
    shares = [
        list(Batches(sampler_of(cases, size), 4, Light(), Share(rank, processes)).epoch(2)) for rank in range(processes)
    ]
    assert {len(share) for share in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert {len(part.ids) for part in parts} == {4 // processes}
        assert sum((part.ids for part in parts), ()) == batch.ids
        torch.testing.assert_close(torch.cat([part.images for part in parts]), batch.images, rtol=0, atol=1e-6)
        assert torch.equal(torch.cat([part.labels for part in parts]), batch.labels)


def test_a_last_smaller_batch_is_left_out_unless_it_is_the_only_one() -> None:
    cases = loaded_cases(3)
    assert [len(b.ids) for b in Batches(sampler_of(cases), 4, None).epoch(0)] == [4, 4, 4]
    assert len(Batches(sampler_of(cases), 4, None)) == 3
    assert [len(b.ids) for b in Batches(sampler_of(cases), 100, None).epoch(0)] == [15]


def test_every_slice_counts_its_slices() -> None:
    cases = loaded_cases(2, shape=(5, 16, 16))
    sampler = Sampler(cases, (1, 16, 16), per_case=1, foreground=0.0, every_slice=True, seed=0)
    batches = Batches(sampler, 2, None)
    assert len(batches) == 5
    assert sum(len(b.ids) for b in batches.epoch(0)) == 10


def test_collated_samples_are_what_was_drawn() -> None:
    cases = loaded_cases(2)
    draws = [Draw(1, (2, 3, 4)), Draw(0, (0, 0, 0))]
    flat = collate(cases, draws, (1, 8, 8))
    assert flat.images.shape == (2, 2, 8, 8)
    assert np.array_equal(flat.images[0].numpy(), cases[1].images[2, :, 3:11, 4:12])
    assert np.array_equal(flat.labels[1].numpy(), cases[0].labels[0, :8, :8])
    assert flat.ids == ("case1", "case0")
    assert flat.classes.tolist() == [1, 0]
    assert flat.present.tolist() == [[True, True]] * 2
    deep = collate(cases, draws, (2, 8, 8))
    assert deep.images.shape == (2, 2, 2, 8, 8)
    assert np.array_equal(deep.images[1, 0].numpy(), cases[0].images[:2, 0, :8, :8])
    assert deep.labels.shape == (2, 2, 8, 8)


def test_outside_of_a_case_is_background() -> None:
    batch = collate(loaded_cases(1), [Draw(0, (-1, -2, 12))], (3, 8, 8))
    assert batch.images[0, :, 0].eq(0).all()
    assert batch.images[0, :, :, :2].eq(0).all()
    assert batch.images[0, :, :, :, 4:].eq(0).all()
    assert batch.labels[0, 0].eq(0).all()


@pytest.mark.parametrize(("size", "layout"), [((1, 8, 8), torch.channels_last), ((2, 8, 8), torch.channels_last_3d)])
def test_images_are_channels_last(size: tuple[int, int, int], layout: torch.memory_format) -> None:
    for augmentation in (None, Light()):
        batch = next(iter(Batches(sampler_of(loaded_cases(3), size), 4, augmentation).epoch(0)))
        assert batch.images.is_contiguous(memory_format=layout)
        assert batch.images.dtype == torch.float32
        assert batch.labels.dtype == torch.uint8


def test_moving_keeps_everything() -> None:
    batch = collate(loaded_cases(1), [Draw(0, (0, 0, 0))], (1, 8, 8))
    assert_same(moved(batch, torch.device("cpu")), batch)


def jobs_of(results: list[Any]) -> list[Callable[[], Any]]:
    def job(result: Any) -> Callable[[], Any]:
        def work() -> object:
            time.sleep(0.002)
            if isinstance(result, Exception):
                raise result
            return result

        return work

    return [job(result) for result in results]


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_reading_ahead_keeps_the_order(count: int, depth: int) -> None:
    found: list[Any] = list(read_ahead(jobs_of(list(range(count))), depth))
    assert found == list(range(count))


def test_an_exception_comes_out_at_its_place() -> None:
    reader: Any = read_ahead(jobs_of([1, 2, ZeroDivisionError("third"), 4]))
    assert [next(reader), next(reader)] == [1, 2]
    with pytest.raises(ZeroDivisionError, match="third"):
        next(reader)


def test_no_more_is_read_than_was_asked_for_and_a_little_ahead() -> None:
    started: list[int] = []
    jobs: list[Any] = [partial(started.append, number) for number in range(50)]
    reader: Any = read_ahead(jobs, depth=2)
    next(reader)
    reader.close()
    assert len(started) <= 4
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]
