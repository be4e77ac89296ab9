"""The cache: nothing of an absent modality in it, rebuilt with a reason, safe among processes, predictions put back."""

import gzip
import itertools
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion.case import Cohort
from mrfusion.data.cache import prepare_cohort
from mrfusion.data.grid import Grid
from mrfusion.data.prepare import slice_axis, spaced, zscore
from mrfusion.errors import CaseError, OutputError
from mrfusion.spec import Preparation

PLAIN = Preparation()


def prepared(cohort, folder, preparation=PLAIN, **options):
    return prepare_cohort(cohort, preparation, folder, **options)


def rewrite(path, array):
    """Another content; the time of change is moved on, as it would be for anyone slower than a test."""
    nib.save(nib.Nifti1Image(array, nib.load(path).affine), path)
    os.utime(path, ns=(1, os.stat(path).st_mtime_ns + 10**9))


def test_arrays_are_what_numpy_says(make_case, cohort_of, tmp_path):
    case = make_case()
    one = prepared(cohort_of(case), tmp_path / "c")["a"]
    raw = {name: np.asarray(nib.load(path).dataobj).astype(np.float64) for name, path in case.images.items()}
    mask = raw["t1"] != 0
    expected = np.where(mask, (raw["t1"] - raw["t1"][mask].mean()) / raw["t1"][mask].std(), 0)
    images = one.images(("t1",))
    assert (images.shape, images.dtype) == ((6, 1, 8, 10), np.float16)
    np.testing.assert_allclose(images[:, 0], expected[2:10, 2:12, 2:8].transpose(2, 0, 1), atol=2e-3)
    truth = np.asarray(nib.load(case.label_map).dataobj)
    np.testing.assert_array_equal(
        one.labels(("t1",)), np.where(truth == 4, 3, truth)[2:10, 2:12, 2:8].transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(one.truth(), np.where(truth == 4, 3, truth))
    assert one.label_voxels == {value: int((np.where(truth == 4, 3, truth) == value).sum()) for value in (1, 2, 3)}
    assert images.base is not None, "a view into a memory map"
    assert one.reference == case.images["t1"]


@pytest.mark.parametrize("subset", [("t1",), ("t2",), ("pet",), ("t1", "pet"), ("pet", "t2"), ("t1", "t2", "pet")])
@pytest.mark.parametrize("crop", [True, False])
def test_reading_a_subset_is_preparing_a_case_that_never_had_the_others(subset, crop, make_case, cohort_of, tmp_path):
    """Bit for bit, whatever the absent modalities hold: the strictness that missing modalities rest on."""
    pet = np.zeros((12, 14, 10), np.int16)
    pet[1:4, 6:13, 4:9] = 5 + np.arange(5)
    full = make_case("full", {"pet": pet})
    for name in set(full.images) - set(subset):
        rewrite(full.images[name], np.random.default_rng(7).integers(-99, 99, (12, 14, 10)).astype(np.int16))
    alone = replace(full, id="alone", images={m: full.images[m] for m in subset})
    both = prepared(cohort_of(full, alone), tmp_path / "c", Preparation(crop=crop))
    a, b = both["full"], both["alone"]
    assert a.images(subset).tobytes() == b.images(subset).tobytes()
    assert a.labels(subset).tobytes() == b.labels(subset).tobytes()
    assert a.shape(subset) == b.shape(subset) == b.images(subset)[:, 0].shape
    assert a.box(subset) == b.box(subset)
    np.testing.assert_array_equal(a.truth(), b.truth())


def test_any_order_of_modalities_and_views_where_numpy_can(make_case, cohort_of, tmp_path):
    noise = np.random.default_rng(5).integers(1, 99, (2, 12, 14, 10)).astype(np.int16)
    one = prepared(cohort_of(make_case("a", {"pet": noise[0], "ct": noise[1]})), tmp_path)["a"]
    whole = one.images(one.modalities)
    places = {name: index for index, name in enumerate(one.modalities)}
    for count in range(1, 5):
        for names in itertools.permutations(one.modalities, count):
            if {"pet", "ct"} & set(names):  # their box is the whole volume
                np.testing.assert_array_equal(one.images(names), whole[:, [places[name] for name in names]])
    for names in (("t1",), ("t1", "ct"), ("ct", "pet", "t2", "t1")):
        assert one.images(names).base is not None  # a view: nothing is read before it is asked for


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASL", "PIR"])
def test_predictions_come_back_to_the_grid_of_the_files(codes, make_case, cohort_of, tmp_path):
    affine = np.zeros((4, 4))
    for axis, (out, flip) in enumerate(nib.orientations.axcodes2ornt(codes)):
        affine[int(out), axis] = flip * (1, 4, 2)[axis]
    affine[3, 3] = 1
    one = prepared(cohort_of(make_case(affine=affine)), tmp_path)["a"]
    canonical = nib.as_closest_canonical(nib.load(one.reference))
    assert one.spacing_mm[0] == 4  # slices lie along the axis of the largest spacing
    assert sorted(one.spacing_mm) == sorted(canonical.header.get_zooms())
    for names in (("t1",), ("t2",), ("t1", "t2")):
        np.testing.assert_array_equal(one.restore(np.asarray(one.labels(names)), names), one.truth())
        back = one.restore(np.asarray(one.images(names)).swapaxes(0, 1), names, fill=-9)
        outside = np.ones(canonical.shape, bool)
        outside[one.box(names)] = False
        assert back.shape == (len(names), *canonical.shape)
        assert (back[:, outside] == -9).all()
        assert (back[:, ~outside] != -9).all()


def test_a_second_preparation_reads_the_cache_and_a_changed_input_or_option_says_why(make_case, cohort_of, tmp_path):
    case, cache = make_case(), tmp_path / "c"
    cohort, said = cohort_of(case), []
    first = prepared(cohort, cache, progress=lambda *step: said.append(step))["a"]
    assert (first.reason, said) == ("new", [(1, 1, "preparing 1 of 1, a: new")])
    again = prepared(cohort, cache)["a"]
    assert again.reason == "cached"
    assert (again.folder, again.digest, again.label_voxels) == (first.folder, first.digest, first.label_voxels)
    rewrite(case.images["t2"], np.ones((12, 14, 10), np.int16))
    changed = prepared(cohort, cache)["a"]
    assert changed.reason == "prepared again: the content of t2 has changed"
    assert changed.digest != first.digest
    assert not first.folder.exists()  # nobody can ask for it any more
    whole = prepared(cohort, cache, Preparation(crop=False))["a"]
    assert whole.reason == "prepared again: crop was True, is False"
    assert whole.digest == changed.digest
    assert prepared(cohort, cache)["a"].reason == "cached"  # other options lie beside it
    relabelled = cohort_of(replace(case, label_values={1: 1, 2: 2, 4: 1}))
    assert "label values was" in prepared(relabelled, cache)["a"].reason


def test_a_change_within_one_time_stamp_is_seen(make_case, cohort_of, tmp_path):
    case = make_case()
    path, cohort = case.images["t1"], cohort_of(case)
    prepared(cohort, tmp_path / "c")
    stat, raw = path.stat(), bytearray(gzip.decompress(path.read_bytes()))
    raw[-5] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "content of t1" in prepared(cohort, tmp_path / "c")["a"].reason


def test_contents_of_settled_files_are_remembered_and_a_broken_memory_is_ignored(make_case, cohort_of, tmp_path):
    case, cache = make_case(), tmp_path / "c"
    for path in case.files:
        os.utime(path, (1, 1))
    prepared(cohort_of(case), cache)
    assert len((cache / "digests.json").read_text().split(str(tmp_path))) == 1 + len(case.files)
    (cache / "digests.json").write_text("[1,")
    assert prepared(cohort_of(case), cache)["a"].reason == "cached"


def test_moving_the_folder_keeps_the_cache(make_case, cohort_of, tmp_path):
    case = make_case()
    prepared(cohort_of(case), tmp_path / "c")
    moved = {name: path.rename(tmp_path / path.name) for name, path in case.images.items()}
    assert prepared(cohort_of(replace(case, images=moved)), tmp_path / "c")["a"].reason == "cached"


def test_many_writers_of_one_case_leave_one_whole_result(make_case, cohort_of, tmp_path):
    cohort = cohort_of(make_case())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: prepared(cohort, tmp_path / "c"), range(8)))
    assert len({r["a"].images(("t1", "t2")).tobytes() for r in results}) == 1
    home = results[0]["a"].folder.parent
    assert [p.name for p in home.iterdir()] == [results[0]["a"].folder.name]  # no half results, no leftovers


def test_what_a_killed_process_left_is_no_case_and_is_swept_after_a_day(make_case, cohort_of, tmp_path):
    case = make_case()
    home = prepared(cohort_of(case), tmp_path / "c")["a"].folder.parent
    for name, age in ((".mrfusion-fresh", 0), (".mrfusion-old", 10**9)):
        (home / name).mkdir()
        (home / name / "images.npy").write_bytes(b"half")
        os.utime(home / name, (1, 1) if age else None)
    rewrite(case.images["t1"], np.ones((12, 14, 10), np.int16))
    again = prepared(cohort_of(case), tmp_path / "c")["a"]
    assert {p.name for p in home.iterdir()} == {".mrfusion-fresh", again.folder.name}


def test_workers_change_nothing_and_a_prepared_case_travels(make_case, cohort_of, tmp_path):
    cohort = cohort_of(*(make_case(name) for name in "abcd"))
    one, four = prepared(cohort, tmp_path / "1"), prepared(cohort, tmp_path / "4", workers=4)
    assert list(one) == list(four) == list("abcd")
    for name in one:
        sent = pickle.loads(pickle.dumps(four[name]))
        assert sent.images(("t2",)).tobytes() == one[name].images(("t2",)).tobytes()


def test_names_that_are_no_file_names_stay_in_the_cache(make_case, cohort_of, tmp_path):
    case = make_case()
    odd = [replace(case, id=name) for name in ("../../x", "a?b*", "<b>", "é" * 200, "a/b", "a_b")]
    done = prepared(cohort_of(*odd), tmp_path / "c")
    assert len({p.folder for p in done.values()}) == len(odd)
    assert all(p.folder.resolve().is_relative_to(tmp_path / "c") for p in done.values())


def test_constant_and_empty_images_stay_zero_with_a_note(make_case, cohort_of, tmp_path):
    flat = np.zeros((12, 14, 10), np.int16)
    case = make_case("a", {"t2": flat, "flat": flat + 7})
    one = prepared(cohort_of(case), tmp_path)["a"]
    assert not one.images(("t2", "flat")).any()
    assert one.shape(("t2",)) == (10, 12, 14)
    assert sorted(note.split(":")[0] for note in one.notes) == ["flat", "t2"]


def test_labels_outside_the_images_are_said_and_still_scored(make_case, cohort_of, tmp_path):
    labels = np.zeros((12, 14, 10), np.uint8)
    labels[0, 0, :3] = 1
    one = prepared(cohort_of(make_case(arrays={"seg": labels})), tmp_path)["a"]
    assert one.notes == ("3 labelled voxels lie outside the box of the images",)
    assert (one.truth().sum(), one.labels(("t1",)).sum(), one.label_voxels[1]) == (3, 0, 3)


def test_a_case_without_labels_has_none(make_case, cohort_of, tmp_path):
    one = prepared(cohort_of(replace(make_case(), label_map=None)), tmp_path)["a"]
    assert (one.labels(("t1",)), one.truth(), one.label_voxels) == (None, None, {})


def test_errors_name_the_case_and_the_place(make_case, cohort_of, tmp_path, monkeypatch):
    case = make_case()
    one = prepared(cohort_of(case), tmp_path / "c")["a"]
    with pytest.raises(CaseError, match=r"case a has no t3; did you mean 't.'"):
        one.images(("t3",))
    (one.folder / "images.npy").write_bytes(b"short")
    with pytest.raises(CaseError, match=r"not what was written there .*remove the folder"):
        one.images(("t1",))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the cache"):
        prepared(cohort_of(case), tmp_path / "file" / "c")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OutputError, match="No space left on device; free the disk"):
        prepared(cohort_of(case), tmp_path / "d")
    assert not [p for p in (tmp_path / "d").rglob("*") if p.is_file()]


def test_a_classification_cohort_reads_no_label_map(make_case, tmp_path):
    case = replace(make_case(), label="high")
    case.label_map.write_text("broken")
    one = prepared(Cohort(("t1", "t2"), (case,), classes=("high", "low")), tmp_path / "c")["a"]
    assert (one.truth(), one.modalities) == (None, ("t1", "t2"))


def test_different_grids_are_brought_together_and_other_spacings_brought_back(make_case, cohort_of, tmp_path):
    """With MONAI. The blob is smooth, so that a wrong shift of half a voxel would show."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in (24, 28, 20)), indexing="ij")
    blob = np.exp(-((x - 11) ** 2 + (y - 14) ** 2 + (z - 9) ** 2) / 40).astype(np.float32)
    coarse_affine = np.diag([2.0, 2, 2, 1])
    coarse_affine[:3, 3] = 0.5  # voxel (0, 0, 0) covers the fine voxels 0 and 1
    case = make_case(arrays={"t1": blob, "t2": blob, "seg": (blob > 0.5).astype(np.uint8)})
    nib.save(nib.Nifti1Image(blob.reshape(12, 2, 14, 2, 10, 2).mean((1, 3, 5)), coarse_affine), case.images["t2"])
    with pytest.raises(CaseError, match="resample_to: t1"):
        prepared(cohort_of(case), tmp_path / "c")
    one = prepared(cohort_of(case), tmp_path / "c", Preparation(resample_to="t1", crop=False))["a"]
    assert one.shape(("t1", "t2")) == (20, 24, 28)
    assert "t2.nii.gz: resampled from (12, 14, 10) to the grid of t1 (24, 28, 20)" in one.notes[0]
    t1, t2 = np.asarray(one.images(("t1", "t2")), np.float64).swapaxes(0, 1)[:, 2:-2, 2:-2, 2:-2]
    assert np.corrcoef(t1.ravel(), t2.ravel())[0, 1] > 0.995
    two = prepared(cohort_of(case), tmp_path / "c", Preparation(resample_to="t1", spacing_mm=(2, 2, 2)))["a"]
    assert two.spacing_mm == (2, 2, 2)
    assert two.placement.grid.shape == (12, 14, 10)
    back = two.restore(np.asarray(two.labels(("t1",))), ("t1",))
    truth = two.truth()
    assert (back.dtype, back.shape) == (truth.dtype, truth.shape) == (np.uint8, (24, 28, 20))
    assert 2 * np.count_nonzero(back & truth) / (back.sum() + truth.sum()) > 0.9
    soft = two.restore(np.asarray(two.labels(("t1",)), np.float32)[None], ("t1",))
    assert soft.shape == (1, 24, 28, 20)
    assert 0 < soft[(soft > 0) & (soft < 1)].mean() < 1


def test_the_first_broken_case_stops_the_preparation(make_case, cohort_of, tmp_path):
    cohort = cohort_of(make_case("a"), make_case("b"))
    cohort.cases[1].images["t1"].write_text("text")
    with pytest.raises(CaseError, match=r"b_t1\.nii\.gz"):
        prepared(cohort, tmp_path / "c")


@given(st.integers(1, 9), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_zscore_has_mean_0_deviation_1_and_ignores_scale_and_offset(seed, offset, scale):
    image = np.random.default_rng(seed).normal(size=(4, 5, 6)).astype(np.float32)
    image[0] = 0
    moved = np.where(image != 0, image * np.float32(scale) + np.float32(offset), 0).astype(np.float32)
    (a, _), (b, _) = zscore(image), zscore(moved)
    assert (a[0] == 0).all()
    assert a[1:].mean() == pytest.approx(0, abs=1e-5)
    assert a[1:].std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(a, b, atol=1e-3 + 1e-5 * abs(offset) / scale)


@pytest.mark.parametrize(
    ("spacing", "shape", "axis"),
    [
        ((1, 1, 1), (9, 9, 9), 2),
        ((1, 3, 1), (9, 9, 9), 1),
        ((3, 1, 1), (9, 9, 9), 0),
        ((1.0, 1.000001, 1.0), (9, 9, 9), 2),
        ((2, 2, 1), (9, 9, 1), 2),
        ((2, 1, 2), (9, 1, 9), 1),
        ((1, 1, 9), (1, 9, 9), 0),
    ],
)
def test_slices_lie_along_the_largest_spacing_or_where_there_is_one(spacing, shape, axis):
    assert slice_axis(Grid(shape, np.diag([*spacing, 1.0]))) == axis


def test_a_spaced_grid_has_the_same_centre():
    affine = np.array([[0, 2, 0, 5], [-1, 0, 0, 3], [0, 0, 3, 1], [0, 0, 0, 1]], float)
    old = Grid((10, 7, 5), affine)
    new = spaced(old, (1, 1, 1))
    assert new.shape == (10, 14, 15)
    assert new.spacing_mm == pytest.approx((1, 1, 1))
    before, after = (g.affine @ (*((np.array(g.shape) - 1) / 2), 1) for g in (old, new))
    np.testing.assert_allclose(after, before)


@pytest.mark.parametrize("codes", ["RAS", "LSA", "ASL"])
def test_a_spacing_is_said_in_the_plane_of_the_slices_and_between_them(codes, make_case, cohort_of, tmp_path):
    """The stack is acquired axially, coronally, sagittally; its slices are resampled, and nothing is between them."""
    affine = np.zeros((4, 4))
    for axis, (out, flip) in enumerate(nib.orientations.axcodes2ornt(codes)):
        affine[int(out), axis] = flip * (1, 1, 8)[axis]
    affine[3, 3] = 1
    case = make_case(affine=affine)
    count = nib.load(case.images["t1"]).shape[2]
    one = prepared(cohort_of(case), tmp_path, Preparation(spacing_mm=(2, 2, None), crop=False))["a"]
    assert one.spacing_mm == pytest.approx((8, 2, 2))
    assert one.shape(("t1",))[0] == count
    fine = prepared(cohort_of(case), tmp_path, Preparation(spacing_mm=(2, 2, 2), crop=False))["a"]
    assert fine.shape(("t1",))[0] == 4 * count, "slices lie as in the files, even where all axes have become alike"
    back = one.restore(np.asarray(one.labels(("t1",))), ("t1",))
    assert back.shape == one.truth().shape


@pytest.mark.parametrize("spacing", [(1, 1, 0), (1, -1, 1), (1, 1), (1, 1, float("inf"))])
def test_a_spacing_that_cannot_be_is_refused(spacing):
    with pytest.raises(ValueError, match="spacing_mm"):
        Preparation(spacing_mm=spacing)


def test_it_says_how_many_cases_are_prepared(make_case, cohort_of, tmp_path):
    cohort, said = cohort_of(make_case("a"), make_case("b")), []
    for _ in range(2):
        prepared(cohort, tmp_path / "c", progress=lambda done, total, what: said.append((done, total, what)))
    assert [(done, total) for done, total, _ in said] == [(1, 2), (2, 2)] * 2
    whats = [what for *_, what in said]
    assert [what.split(",")[0] for what in whats] == [
        "preparing 1 of 2", "preparing 2 of 2", "looking at 1 of 2", "looking at 2 of 2",
    ]  # fmt: skip
