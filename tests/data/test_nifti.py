"""One reader of NIfTI files: whole numbers by one rule, two geometries told, and one way to say what is damaged."""

import errno
import gzip

import nibabel as nib
import numpy as np
import pytest

from mrfusion.data.nifti.header import FAULTS, read_header, unreadable
from mrfusion.data.nifti.labels import read_labels, read_stored
from mrfusion.errors import CaseError

LABELS = np.random.default_rng(0).choice([0, 1, 2, 4], (6, 5, 4)).astype(np.float64)


def as_uint8(path, values):
    """What nibabel writes where float labels are saved under the header of a uint8 file: a scale factor."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    nib.save(nib.Nifti1Image(values, np.eye(4), header), path)
    return path


@pytest.mark.parametrize("read", [read_labels, read_stored])
def test_labels_that_a_scale_factor_moved_by_half_a_step_are_rounded_with_a_note(read, tmp_path):
    path = as_uint8(tmp_path / "l.nii.gz", LABELS)
    kept = nib.load(path).get_fdata()
    assert 0.003 < np.abs(kept - LABELS).max() < 0.008, "the file holds 1.0039 and 1.9922"
    found = read(path)
    np.testing.assert_array_equal(found.array, LABELS)
    assert found.array.dtype == np.int32
    (note,) = found.notes
    assert note == "l.nii.gz: 58 label values were rounded to whole numbers, which its scale factor 0.01569 cannot " \
        "hold exactly".replace("58", str(int((np.abs(kept - LABELS) > 0).sum())))  # fmt: skip


@pytest.mark.parametrize("read", [read_labels, read_stored])
@pytest.mark.parametrize(
    ("values", "worst"),
    [
        (np.linspace(0, 1, 120).reshape(6, 5, 4), "0.4"),  # probabilities, in 255 steps
        (np.linspace(0, 229, 120).reshape(6, 5, 4), "."),  # an image, in steps just below 1
    ],
)
def test_what_only_looks_scaled_is_refused_with_value_and_cure(read, values, worst, tmp_path):
    with pytest.raises(CaseError, match="expected whole numbers in a label map") as caught:
        read(as_uint8(tmp_path / "l.nii.gz", values))
    slope = f"{values.max() / 255:.6g}"[:6]
    assert worst in str(caught.value)
    assert f" x {slope}" in str(caught.value)
    assert "set_slope_inter(1, 0)" in str(caught.value)


@pytest.mark.parametrize("read", [read_labels, read_stored])
def test_floats_are_rounded_within_a_thousandth_and_no_further(read, tmp_path):
    nib.save(nib.Nifti1Image((LABELS + 2e-5).astype(np.float32), np.eye(4)), tmp_path / "a.nii")
    np.testing.assert_array_equal(read(tmp_path / "a.nii").array, LABELS)
    nib.save(nib.Nifti1Image((LABELS + 0.004).astype(np.float32), np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(CaseError, match=r"found \d\.00[34]\d*; is this the label map\?"):
        read(tmp_path / "b.nii")


def test_scoring_reads_integers_in_their_own_type_and_order(tmp_path):
    nib.save(nib.Nifti1Image(LABELS.astype(np.uint8), np.diag([-1, -2, 3, 1])), tmp_path / "l.nii.gz")
    stored = read_stored(tmp_path / "l.nii.gz")
    assert stored.array.dtype == np.uint8
    assert (stored.spacing_mm, stored.notes) == ((1, 2, 3), ())
    np.testing.assert_array_equal(stored.array, LABELS)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.nii.gz").array, LABELS[::-1, ::-1])


@pytest.mark.parametrize("shift", [0.0, 0.05, 15.0])
def test_two_geometries_in_one_header_are_told_with_their_distance(shift, tmp_path):
    image = nib.Nifti1Image(LABELS.astype(np.uint8), np.eye(4))
    other = np.eye(4)
    other[2, 3] = shift
    image.set_sform(np.eye(4), 1)
    image.set_qform(other, 1)
    nib.save(image, tmp_path / "l.nii.gz")
    header = read_header(tmp_path / "l.nii.gz")
    np.testing.assert_array_equal(header.affine, np.eye(4))
    assert bool(header.notes) == (shift > 0.1), "a tenth of a voxel is one place"
    if header.notes:
        assert "qform and sform, lie up to 15.0 mm apart; the sform was used" in header.notes[0]


def test_one_geometry_alone_is_no_news(tmp_path):
    image = nib.Nifti1Image(LABELS.astype(np.uint8), np.diag([2, 2, 2, 1]))
    image.set_sform(None, 0)
    image.set_qform(np.diag([2, 2, 2, 1]), 1)
    nib.save(image, tmp_path / "l.nii")
    assert read_header(tmp_path / "l.nii").notes == ()


@pytest.mark.parametrize("read", [read_labels, read_stored])
def test_a_flipped_bit_of_the_checksum_is_noticed(read, tmp_path):
    nib.save(nib.Nifti1Image(LABELS.astype(np.uint8), np.eye(4)), tmp_path / "l.nii")
    content = bytearray(gzip.compress((tmp_path / "l.nii").read_bytes(), mtime=0))
    content[-6] ^= 1
    (tmp_path / "l.nii.gz").write_bytes(content)
    with pytest.raises(CaseError, match="cut short or damaged"):
        read(tmp_path / "l.nii.gz")


def test_a_limit_of_the_system_is_not_called_damage(tmp_path):
    full = OSError(errno.EMFILE, "Too many open files")
    assert isinstance(full, FAULTS)
    said = str(unreadable(tmp_path, full))
    assert "the system cannot read the file: Too many open files" in said
    assert "damaged" not in said
    assert "damaged" in str(unreadable(tmp_path, gzip.BadGzipFile("CRC check failed")))


@pytest.mark.parametrize("read", [read_labels, read_stored])
def test_a_step_of_the_scale_factor_that_stands_at_its_very_end_is_half_a_step_too(read, tmp_path):
    stored = np.choose(np.searchsorted([0, 1, 2, 4], LABELS), [0, 64, 128, 255]).astype(np.uint8)  # 128, not 127
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(1, 0)
    content = bytearray(image.to_bytes())
    content[112:116] = np.float32(4 / 255).tobytes()
    (tmp_path / "l.nii").write_bytes(content)
    np.testing.assert_array_equal(read(tmp_path / "l.nii").array, LABELS)


def geometries(path, *, sform, sform_code, qform_code):
    """A file with the identity as its qform and these codes."""
    image = nib.Nifti1Image(LABELS.astype(np.uint8), np.eye(4))
    image.set_qform(np.eye(4), qform_code)
    image.set_sform(sform, sform_code)
    nib.save(image, path)
    return path


def test_an_sform_that_cannot_be_used_gives_way_to_the_qform(tmp_path):
    empty = np.diag([0.0, 0, 0, 1])
    header = read_header(geometries(tmp_path / "l.nii.gz", sform=empty, sform_code=1, qform_code=1))
    np.testing.assert_array_equal(header.affine, np.eye(4))
    assert header.notes == ("l.nii.gz: the header's sform cannot be used; the qform was used",)
    with pytest.raises(CaseError, match="expected a finite affine"):
        read_header(geometries(tmp_path / "m.nii.gz", sform=empty, sform_code=1, qform_code=0))


def test_without_an_orientation_the_note_says_how_the_axes_are_taken(tmp_path):
    header = read_header(geometries(tmp_path / "l.nii.gz", sform=np.eye(4), sform_code=0, qform_code=0))
    assert "".join(nib.aff2axcodes(header.affine)) == "LAS"
    assert not header.oriented
    assert header.notes[0].endswith("the axes are taken as left, anterior, superior")
