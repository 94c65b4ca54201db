"""Face tracking tables: what is read from good ones, and how bad ones are refused."""

import numpy as np
import pytest

from cliphead_addon.engine.livelink import ANGLES, SHAPES, TrackingError, read_tracking

HEADING = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in SHAPES)]
SHORT = ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
TURNS = [part + angle for part in ("Head", "LeftEye", "RightEye") for angle in ANGLES]


def write(path, rows, heading=HEADING):
    path.write_text("\n".join(",".join(map(str, row)) for row in [heading, *rows]))
    return path


def row(time, **values):
    return [time, 61, *(values.get(name, 0.0) for name in HEADING[2:])]


def test_the_apps_table_has_61_values():
    assert len(SHAPES) == 52 and len(HEADING) + len(TURNS) == 63


def test_values_go_by_name_in_any_case(tmp_path):
    heading = [name.upper() for name in HEADING]
    path = write(tmp_path / "a.csv", [row("1:00:00:00.0", JawOpen=0.25), row("1:00:00:30.0", JawOpen=0.75)], heading)
    found = read_tracking(path)
    np.testing.assert_allclose(found.times, [0, 0.5])
    np.testing.assert_allclose(found.weights["jawOpen"], [0.25, 0.75])
    np.testing.assert_allclose(found.at([0.25]).weights["jawOpen"], 0.5)
    assert set(found.weights) == set(SHAPES) and found.rotations == {}


def test_midnight_is_passed(tmp_path):
    found = read_tracking(write(tmp_path / "a.csv", [row("23:59:59:59"), row("00:00:00:00"), row("00:00:00:01")]))
    np.testing.assert_allclose(found.times, [0, 1 / 60, 2 / 60], atol=1e-9)


def test_rows_without_a_face_are_left_out(tmp_path):
    found = read_tracking(write(tmp_path / "a.csv", [row("0:0:0:0"), ["0:0:0:1", 0], row("0:0:0:2")]))
    np.testing.assert_allclose(found.times, [0, 2 / 60])


@pytest.mark.parametrize("scale, sign", [(1, 1), (1, -1), (180 / np.pi, -1)])
def test_units_and_signs_are_found_from_the_eyes(tmp_path, scale, sign):
    yaw = np.linspace(-0.4, 0.4, 9)
    rows = []
    for i, angle in enumerate(yaw):  # looking to the left: outward for the left eye
        look = {"EyeLookOutLeft": max(angle, 0), "EyeLookInLeft": max(-angle, 0)}
        angles = [scale * sign * angle, 0, 0] * 2 + [0, scale * 0.1, 0]
        rows.append(row(f"0:0:0:{i}", **look) + angles)
    found = read_tracking(write(tmp_path / "a.csv", rows, HEADING + TURNS))
    for part in ("head", "leftEye"):
        np.testing.assert_allclose(found.rotations[part][:, 0], yaw, atol=1e-9)
    np.testing.assert_allclose(found.rotations["rightEye"][:, 1], 0.1, atol=1e-9)


@pytest.mark.parametrize(
    "rows, heading, said",
    [
        ([], HEADING, "line 1: there are no rows of values"),
        ([["0:0:0:0", 61, 0.5]], HEADING, "line 2, column 4: the row has 3 columns, the heading 54"),
        ([["12:00", 61, 0.5]], SHORT, r"line 2, column 1 \(Timecode\): '12:00' is no timecode"),
        ([["0:0:0:99", 61, 0.5]], SHORT, "line 2, column 1"),
        ([["0:0:0:0", 61, 0.5], ["0:0:0:1", 61, "x"]], SHORT, r"line 3, column 3 \(eyeBlinkLeft\): 'x' is no number"),
        ([["0:0:0:0", 61, "nan"]], SHORT, "'nan' is no number"),
        ([["0:0:0:0", 61, 50]], SHORT, "50 is no weight between 0 and 1"),
        ([["0:0:0:9", 61, 0], ["0:0:0:1", 61, 0]], SHORT, "line 3, column 1 .*runs backwards"),
        ([], ["Time", "BlendShapeCount"], "line 1, column 1: found 'Time' where the heading Timecode belongs"),
        ([], [*SHORT, "Nose"], "line 1, column 4: 'Nose' is no shape or angle"),
        ([], [*SHORT, "eyeblinkleft"], "line 1, column 4: 'eyeblinkleft' is there twice"),
        ([], HEADING[:2], "no column is a shape"),
    ],
)
def test_bad_tables_are_refused_with_line_and_column(tmp_path, rows, heading, said):
    with pytest.raises(TrackingError, match=said):
        read_tracking(write(tmp_path / "take.csv", rows, heading))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n\x00"])
def test_files_that_are_no_tables_are_refused(tmp_path, content):
    path = tmp_path / "take.csv"
    path.write_bytes(content)
    with pytest.raises(TrackingError, match="take.csv"):
        read_tracking(path)


def test_a_missing_file_is_a_message(tmp_path):
    with pytest.raises(TrackingError, match="cannot be opened"):
        read_tracking(tmp_path / "none.csv")
