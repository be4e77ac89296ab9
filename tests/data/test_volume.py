"""Volumes: RAS+ against nibabel, one clear message for every kind of broken file, and the way back to the file."""

import gzip
import itertools
import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfusion.case import Case, Cohort, Region
from mrfusion.data.grid import Grid
from mrfusion.data.label_map import file_values, paint_regions, region_masks, write_label_map
from mrfusion.data.nifti.header import read_header
from mrfusion.data.nifti.labels import read_labels
from mrfusion.data.nifti.voxels import read_image
from mrfusion.data.volume import read_volume
from mrfusion.errors import CaseError, OutputError

VALUES = (1, 2, 3)
ORDERS = ["".join(side) for axes in itertools.permutations(("LR", "PA", "IS")) for side in itertools.product(*axes)]


def affine_of(codes, spacing=(0.7, 1.1, 3.0)):
    """An oblique affine of these axis codes."""
    angle = 0.2
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    ornt = nib.orientations.axcodes2ornt(codes)
    for axis, (out, flip) in enumerate(ornt):
        affine[:3, axis] = turn[:, int(out)] * flip * spacing[axis]
    affine[:3, 3] = (-12.5, 30, 7)
    return affine


def test_images_are_ras_float32_in_the_order_asked_for(make_case):
    case = make_case(affine=affine_of("LPS"))
    volume = read_volume(case, ("t2", "t1"), VALUES)
    expected = nib.as_closest_canonical(nib.load(case.images["t2"]))
    assert volume.modalities == ("t2", "t1")
    assert volume.images_MXYZ.dtype == np.float32
    assert volume.labels_XYZ.dtype == np.uint8
    np.testing.assert_array_equal(volume.images_MXYZ[0], expected.get_fdata())
    np.testing.assert_allclose(volume.affine, expected.affine)
    assert volume.spacing_mm == pytest.approx((0.7, 1.1, 3.0))


@pytest.mark.parametrize("codes", ORDERS)
def test_every_axis_order_comes_back_into_the_same_file_geometry(codes, tmp_path):
    stored = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    reference = tmp_path / "r.nii.gz"
    nib.save(nib.Nifti1Image(stored, affine_of(codes)), reference)
    read = read_labels(reference)
    assert nib.aff2axcodes(read.affine) == ("R", "A", "S")
    write_label_map(tmp_path / "out.nii.gz", read.array.astype(np.uint8), reference, (1, 2, 3))
    before, after = nib.load(reference), nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(after.dataobj), stored)
    np.testing.assert_array_equal(after.get_sform(), before.get_sform())
    np.testing.assert_array_equal(after.get_qform(), before.get_qform())
    assert [int(after.header[k]) for k in ("sform_code", "qform_code", "xyzt_units")] == [
        int(before.header[k]) for k in ("sform_code", "qform_code", "xyzt_units")
    ]


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 4, 1)])
def test_flat_and_trailing_one_shapes_are_volumes_and_keep_their_shape_on_disk(shape, tmp_path):
    stored = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) % 3
    reference = tmp_path / "r.nii"
    nib.save(nib.Nifti1Image(stored, np.diag([2.0, 2, 5, 1])), reference)
    read = read_labels(reference)
    assert read.array.shape == (*shape, 1)[:3]
    write_label_map(tmp_path / "o.nii", read.array.astype(np.uint8), reference, (1, 2))
    after = nib.load(tmp_path / "o.nii")
    assert after.shape == shape
    np.testing.assert_array_equal(np.asarray(after.dataobj), stored)


def test_scaled_integers_big_endian_and_nifti2_read_as_nibabel_reads_them(tmp_path):
    image = nib.Nifti2Image(np.arange(24, dtype=">i2").reshape(2, 3, 4), np.eye(4), nib.Nifti2Header(endianness=">"))
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, tmp_path / "s.nii.gz")
    loaded = nib.load(tmp_path / "s.nii.gz")
    assert (loaded.header.endianness, loaded.header["magic"].item()[:3]) == (">", b"n+2")
    np.testing.assert_allclose(read_image(tmp_path / "s.nii.gz").array, loaded.get_fdata())


def test_units_of_metres_become_millimetres(tmp_path):
    image = nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.diag([0.002, 0.002, 0.003, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "m.nii")
    affine = read_image(tmp_path / "m.nii").affine
    np.testing.assert_allclose(np.diag(affine)[:3], (2, 2, 3), rtol=1e-6)


def test_raw_label_values_go_in_and_come_out(make_case, tmp_path):
    case = make_case()
    volume = read_volume(case, ("t1",), VALUES)
    assert volume.labels_XYZ is not None
    raw = np.asarray(nib.load(case.label_map).dataobj)
    np.testing.assert_array_equal(volume.labels_XYZ, np.where(raw == 4, 3, raw))
    write_label_map(tmp_path / "p.nii.gz", volume.labels_XYZ, case.images["t1"], file_values(case, VALUES))
    written = nib.load(tmp_path / "p.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), raw)
    assert written.get_data_dtype() == np.uint8
    write_label_map(tmp_path / "m.nii.gz", volume.labels_XYZ, case.images["t1"], (200, 1220, 2221))
    assert nib.load(tmp_path / "m.nii.gz").get_data_dtype() == np.int16


def test_values_of_no_region_are_background_and_so_are_background_labels(make_case):
    case = make_case()
    only_et = read_volume(case, ("t1",), (3,)).labels_XYZ
    assert only_et is not None
    assert sorted(np.unique(only_et)) == [0, 1]
    assert only_et.sum() == 1
    ignoring = replace(case, label_values={1: 1, 2: 0, 4: 3})
    ignored = read_volume(ignoring, ("t1",), VALUES).labels_XYZ
    assert ignored is not None
    assert sorted(np.unique(ignored)) == [0, 1, 3]


def test_a_prediction_is_written_whole_or_not_at_all(make_case, tmp_path):
    case = make_case()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_label_map(tmp_path / "file" / "p.nii.gz", np.zeros((12, 14, 10), np.uint8), case.images["t1"], (1,))


# --- broken files: one clear message each -------------------------------------------------------------------------


def change(path, **fields):
    """Rewrite a .nii.gz with other header fields."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(gzip.compress(header.binaryblock + bytes(raw[348:])))


def cut_gzip(path):
    path.write_bytes(path.read_bytes()[:-200])


def corrupt(path):
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 255  # in the checksum
    path.write_bytes(bytes(raw))


BROKEN = {
    "truncated gzip": (cut_gzip, "cut short or damaged"),
    "checksum": (corrupt, "cut short or damaged"),
    "text": (lambda p: p.write_text("not an image"), "expected a gzip file"),
    "gzipped text": (lambda p: p.write_bytes(gzip.compress(b"hello " * 200)), "expected a NIfTI file"),
    "empty": (lambda p: p.write_bytes(b""), "expected a gzip file"),
    "empty gzip": (lambda p: p.write_bytes(gzip.compress(b"")), "expected a NIfTI file"),
    "gone": (lambda p: p.unlink(), "expected a readable file"),
    "30000^3": (lambda p: change(p, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1]), r"announces \(30000, 30000, 30000\)"),
    "600^3": (lambda p: change(p, dim=[3, 600, 600, 600, 1, 1, 1, 1]), "cannot hold them"),
    "longer than it is": (lambda p: change(p, dim=[3, 12, 14, 12, 1, 1, 1, 1]), "must share one grid"),
    "four-dimensional": (lambda p: change(p, dim=[4, 12, 14, 5, 2, 1, 1, 1]), "split the file"),
    "zero dimension": (lambda p: change(p, dim=[3, 12, 0, 5, 1, 1, 1, 1]), "two or three dimensions"),
    "no dimension": (lambda p: change(p, dim=[0, 12, 14, 5, 1, 1, 1, 1]), "two or three dimensions"),
    "colour": (lambda p: change(p, datatype=128, bitpix=24), "one number per voxel"),
    "complex": (lambda p: change(p, datatype=32, bitpix=64), "one number per voxel"),
    "unknown type": (lambda p: change(p, datatype=77), "expected a NIfTI file"),
    "pair": (lambda p: change(p, magic=b"ni1"), "single-file NIfTI"),
    "offset": (lambda p: change(p, vox_offset=1e30), "voxels begin at byte"),
    "affine NaN": (lambda p: change(p, srow_x=[np.nan, 0, 0, 0]), "finite affine"),
    "affine zero": (lambda p: change(p, srow_z=[0, 0, 0, 0]), "edges above 0 mm"),
    "spacing zero": (
        lambda p: change(p, sform_code=0, qform_code=0, pixdim=[1, 0, 1, 1, 0, 0, 0, 0]),
        "edges above 0 mm",
    ),
    "spacing negative": (lambda p: change(p, sform_code=0, qform_code=1, pixdim=[1, -1, 1, 1, 0, 0, 0, 0]), "header"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_refused_with_its_name(how, make_case):
    case = make_case()
    breaking, message = BROKEN[how]
    breaking(case.images["t2"])
    with pytest.raises(CaseError, match=message) as error:
        read_volume(case, ("t1", "t2"), VALUES)
    assert "a_t2.nii.gz" in str(error.value)


def test_absurd_headers_and_gzip_bombs_cost_no_memory(make_case):
    case = make_case()
    change(case.images["t1"], dim=[3, 30000, 30000, 30000, 1, 1, 1, 1])
    bomb = case.images["t2"]
    bomb.write_bytes(gzip.compress(gzip.decompress(bomb.read_bytes()) + bytes(2**25)))
    tracemalloc.start()
    with pytest.raises(CaseError):
        read_image(case.images["t1"])
    assert "goes on after" in read_image(bomb).notes[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_nan_voxels_are_counted(make_case):
    array = np.ones((12, 14, 10), np.float32)
    array[3, 3, :4] = np.nan
    array[4, 4, 4] = np.inf
    with pytest.raises(CaseError, match=r"a_t1.nii.gz: 5 of 1680 voxels are NaN or infinite"):
        read_volume(make_case(arrays={"t1": array}), ("t1", "t2"), VALUES)


def test_an_unknown_label_value_is_refused_and_named(make_case):
    labels = np.zeros((12, 14, 10), np.uint8)
    labels[1, 1, :3], labels[2, 2, 2] = 7, 3
    with pytest.raises(
        CaseError, match=r"case a: expected the label values \[0, 1, 2, 4\], found 3 \(1 vox.*7 \(3 vox"
    ):
        read_volume(make_case(arrays={"seg": labels}), ("t1",), VALUES)


def test_nearly_whole_labels_are_rounded_with_a_note_and_halves_refused(make_case):
    labels = np.zeros((12, 14, 10), np.float32)
    labels[1, 1, 1] = 1.00002
    volume = read_volume(make_case(arrays={"seg": labels}), ("t1",), VALUES)
    assert volume.labels_XYZ[1, 1, 1] == 1
    assert "1 label values were rounded" in volume.notes[0]
    labels[1, 1, 1] = 1.5
    with pytest.raises(CaseError, match=r"expected whole numbers in a label map, found 1.5"):
        read_volume(make_case(arrays={"seg": labels}), ("t1",), VALUES)
    labels[1, 1, 1] = np.nan
    with pytest.raises(CaseError, match=r"expected whole numbers in a label map, found nan"):
        read_volume(make_case(arrays={"seg": labels}), ("t1",), VALUES)


def test_grids_that_differ_are_refused_and_the_remedy_is_named(make_case):
    case = make_case(arrays={"t1": np.ones((12, 14, 9), np.int16)})
    with pytest.raises(CaseError, match=r"t1 is \(12, 14, 9\).* but t2 is \(12, 14, 10\).*resample_to: t2"):
        read_volume(case, ("t1", "t2"), VALUES)
    shifted = np.eye(4)
    shifted[0, 3] = 0.3
    nib.save(nib.Nifti1Image(np.ones((12, 14, 10), np.int16), shifted), case.images["t1"])
    with pytest.raises(CaseError, match=r"has this shape but lies up to 0.3 mm off"):
        read_volume(case, ("t1", "t2"), VALUES)


def test_grids_stored_in_other_axis_orders_are_the_same_grid(make_case):
    case = make_case()
    turned = nib.load(case.images["t2"]).as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
    before = read_volume(case, ("t1", "t2"), VALUES)
    nib.save(turned, case.images["t2"])
    after = read_volume(case, ("t1", "t2"), VALUES)
    np.testing.assert_array_equal(before.images_MXYZ, after.images_MXYZ)


def test_a_missing_modality_is_left_out_and_a_case_of_none_refused(make_case):
    case = make_case()
    assert read_volume(case, ("t1", "pet"), VALUES).modalities == ("t1",)
    with pytest.raises(CaseError, match="at least one of the modalities pet, found"):
        read_volume(case, ("pet",), VALUES)


@given(st.binary(min_size=0, max_size=600), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_no_bytes_bring_the_reader_down(tmp_path_factory, content, zipped):
    path = tmp_path_factory.mktemp("fuzz") / ("f.nii.gz" if zipped else "f.nii")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(CaseError):
        read_image(path)


HEADER = nib.Nifti1Image(np.ones((4, 4, 4), np.int16), np.eye(4)).to_bytes()


@given(st.integers(0, 347), st.binary(min_size=1, max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_no_change_of_a_header_brings_the_reader_down(tmp_path_factory, at, change_to):
    path = tmp_path_factory.getbasetemp() / "header.nii"
    path.write_bytes(HEADER[:at] + change_to + HEADER[at + len(change_to) :])
    try:
        image = read_image(path)
    except CaseError:
        return
    assert image.array.dtype == np.float32
    assert np.isfinite(image.affine).all()


# --- regions --------------------------------------------------------------------------------------------------------

NESTED = {
    "brats": ({"WT": {1, 2, 3}, "TC": {1, 3}, "ET": {3}}, (1, 2, 3)),
    "myops": (
        {"scar": {2221}, "oedema": {1220, 2221}, "myocardium": {200, 1220, 2221}, "lv": {500}, "rv": {600}},
        (200, 500, 600, 1220, 2221),
    ),
    "overlapping": ({"a": {1, 2}, "b": {2, 3}}, (1, 2, 3)),
    "exclusive": ({"a": {1}, "b": {2}}, (1, 2)),
}


@pytest.mark.parametrize("name", NESTED)
def test_painting_is_the_reverse_of_masking(name):
    sets, values = NESTED[name]
    regions = tuple(Region(n, frozenset(s)) for n, s in sets.items())
    index = np.random.default_rng(0).integers(0, len(values) + 1, (4, 5, 6)).astype(np.uint8)
    masks = region_masks(index, regions, values)
    for region, mask in zip(regions, masks, strict=True):
        np.testing.assert_array_equal(mask, np.isin(np.array([0, *values])[index], list(region.labels)))
    np.testing.assert_array_equal(paint_regions(masks, regions, values), index)


@pytest.mark.parametrize("count", [1, 8, 17, 40, 255])
def test_any_number_of_exclusive_labels_is_painted(count):
    regions = tuple(Region(str(value), frozenset({value})) for value in range(1, count + 1))
    index = np.random.default_rng(count).integers(0, count + 1, (9, 8, 7)).astype(np.uint8)
    values = tuple(range(1, count + 1))
    np.testing.assert_array_equal(paint_regions(region_masks(index, regions, values), regions, values), index)


def test_more_overlapping_regions_than_bits_of_a_number_are_painted():
    regions = tuple(Region(str(n), frozenset(range(n, 41))) for n in range(1, 41))  # each lies in the one before
    index = np.random.default_rng(0).integers(0, 41, (6, 5, 4)).astype(np.uint8)
    values = tuple(range(1, 41))
    np.testing.assert_array_equal(paint_regions(region_masks(index, regions, values), regions, values), index)


def test_a_cohort_with_more_labels_than_a_byte_holds_is_refused_before_anything_is_read():
    regions = tuple(Region(str(value), frozenset({value})) for value in range(1, 257))
    with pytest.raises(CaseError, match="at most 255 different label values in the regions, found 256"):
        Cohort(("t1",), (), regions)


def test_contradicting_masks_are_painted_from_the_largest_region_to_the_smallest():
    regions = tuple(Region(n, frozenset(s)) for n, s in NESTED["brats"][0].items())
    wt_tc_et = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 0]], bool)
    np.testing.assert_array_equal(paint_regions(wt_tc_et, regions, VALUES), [2, 1, 3, 3, 0])


def test_a_grid_knows_how_far_off_another_is():
    grid, moved = Grid((4, 4, 4), np.eye(4)), np.eye(4)
    moved[1, 3] = 0.09
    assert grid.same(Grid((4, 4, 4), moved))
    moved[1, 3] = 0.11
    assert not grid.same(Grid((4, 4, 4), moved))
    assert grid.offset_mm(Grid((4, 4, 5), np.eye(4))) == float("inf")


def test_a_single_slice_without_thickness_reads_with_a_note(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 5), np.int16), None)
    image.header["pixdim"][1:4] = (2, 2, 0)
    image.header.set_sform(None, 0)
    (tmp_path / "s.nii").write_bytes(image.to_bytes())
    header = read_header(tmp_path / "s.nii")
    np.testing.assert_allclose(np.abs(np.diag(header.affine)), (2, 2, 1, 1))
    assert "without a thickness" in header.notes[0]


def test_file_values_without_a_convention_are_the_values_themselves():
    assert file_values(Case("a", "a", {}), (200, 500)) == (200, 500)
