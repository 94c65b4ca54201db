"""Face tracking recorded by Apple's ARKit, in the table that the Live Link Face app writes: one row per frame."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import ClipHeadError
from .expression_sets import ARKIT

RATE = 60.0  # frames per second of the app's timecodes
SHAPES = (*ARKIT, "tongueOut")
PARTS = ("head", "leftEye", "rightEye")
ANGLES = ("Yaw", "Pitch", "Roll")
COLUMNS = {name.lower(): name for name in (*SHAPES, *(part + angle for part in PARTS for angle in ANGLES))}
LEADING = ("timecode", "blendshapecount")
WEIGHTS = (-0.5, 1.5)  # beyond these a value is no weight


class TrackingError(ClipHeadError):
    """The file is no table of face tracking."""

    code = "BAD_TRACKING"


@dataclass(frozen=True)
class Tracking:
    """Weights and rotations over time."""

    times: np.ndarray  # (N,) seconds since the first row, rising
    weights: dict  # Apple's names -> (N,) float64
    rotations: dict  # "head", "leftEye", "rightEye" -> (N,3) radians about the head's up (to its left is positive), its
    #                  left (down is positive) and its front axis; only those in the file

    def at(self, times):
        """The same at other times (M,), between rows linearly."""

        def curve(values):
            return np.interp(times, self.times, values)

        weights = {name: curve(values) for name, values in self.weights.items()}
        turns = {part: np.stack([curve(angle) for angle in angles.T], axis=-1) for part, angles in self.rotations.items()}
        return Tracking(np.asarray(times, np.float64), weights, turns)


def read_tracking(path, rate=RATE):
    """A .csv file -> Tracking.

    Columns go by their names in any case: Timecode, BlendShapeCount, Apple's 52 shapes and the angles of head and eyes. rate:
    frames in a second of its timecodes, hours:minutes:seconds:frames. Rows in which tracking was lost (count 0) are left out.
    Raises TrackingError with the line and the column of what is wrong.
    """
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except OSError as error:
        raise TrackingError(f"{path.name} cannot be opened: {error.strerror}. Choose another file.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TrackingError(f"{path.name} is no text table: {error}. Choose the .csv that Live Link Face wrote.") from error
    if not rows:
        raise TrackingError(f"{path.name} is empty. Choose the .csv that Live Link Face wrote.")
    names = _header(path, *rows[0])
    lines, times, values = [], [], []
    for number, row in rows[1:]:
        if len(row) > 1 and row[1].strip() == "0":
            continue
        if len(row) != len(names):
            column = min(len(row), len(names)) + 1
            _refuse(path, number, column, None, f"the row has {len(row)} columns, the heading {len(names)}")
        times.append(_seconds(path, number, row[0], rate))
        values.append(row[len(LEADING) :])
        lines.append(number)
    if not times:
        raise TrackingError(f"{path.name}, line {rows[-1][0]}: there are no rows of values. Record again.")
    times, table = np.array(times), _table(path, lines, names[len(LEADING) :], values)
    times = times - times[0] + 86400 * np.cumsum(np.diff(times, prepend=times[0]) < -43200)  # midnight may pass
    falling = np.flatnonzero(np.diff(times) < 0)
    if len(falling):
        _refuse(path, lines[falling[0] + 1], 1, "Timecode", "the time runs backwards")
    keep = np.append(np.diff(times) > 0, True)
    columns = dict(zip(names[len(LEADING) :], table[keep].T, strict=True))
    weights = {name: columns[name] for name in SHAPES if name in columns}
    return Tracking(times[keep], weights, _rotations(columns))


def _header(path, number, row):
    """Apple's names of the columns; the first two are those of LEADING."""
    found = [name.strip() for name in row]
    for i, wanted in enumerate(LEADING):
        if i >= len(found) or found[i].lower() != wanted:
            said = f"'{found[i]}'" if i < len(found) else "nothing"
            _refuse(path, number, i + 1, None, f"found {said} where the heading {('Timecode', 'BlendShapeCount')[i]} belongs")
    names = list(LEADING)
    for i, name in enumerate(found[len(LEADING) :], len(LEADING) + 1):
        if name.lower() not in COLUMNS:
            _refuse(path, number, i, None, f"'{name}' is no shape or angle of ARKit")
        if COLUMNS[name.lower()] in names:
            _refuse(path, number, i, None, f"'{name}' is there twice")
        names.append(COLUMNS[name.lower()])
    if not set(names) & set(SHAPES):
        _refuse(path, number, len(found), None, "no column is a shape of ARKit")
    return names


def _seconds(path, number, text, rate):
    parts = text.strip().replace(";", ":").split(":")
    try:
        hours, minutes, seconds = (int(part) for part in parts[:3])
        frames = float(parts[3])
        if len(parts) != 4 or min(hours, minutes, seconds) < 0 or max(minutes, seconds) > 59 or not 0 <= frames < rate + 1:
            raise ValueError
    except (ValueError, IndexError):
        _refuse(path, number, 1, "Timecode", f"'{text}' is no timecode such as 14:03:52:28.207 at {rate:g} frames per second")
    return 3600 * hours + 60 * minutes + seconds + frames / rate


def _table(path, lines, names, rows):
    """Rows of numbers as text -> (N,C) float64, all of them checked at once."""
    try:
        table = np.array(rows, np.float64)
        within = (table >= WEIGHTS[0]) & (table <= WEIGHTS[1])
        good = np.isfinite(table) & (within | ~np.isin(names, SHAPES))
    except ValueError:
        good = np.zeros((len(rows), len(names)), bool)
    if not good.all():  # one by one, for what is wrong first
        for line, row in zip(lines, rows, strict=True):
            for column, (name, text) in enumerate(zip(names, row, strict=True), len(LEADING) + 1):
                _number(path, line, column, name, text)
    return table


def _number(path, number, column, name, text):
    """Refuse a text that is no number, or none that belongs in its column."""
    try:
        value = float(text)
    except ValueError:
        _refuse(path, number, column, name, f"'{text}' is no number")
    if not math.isfinite(value):
        _refuse(path, number, column, name, f"'{text}' is no number")
    if name in SHAPES and not WEIGHTS[0] <= value <= WEIGHTS[1]:
        _refuse(path, number, column, name, f"{value:g} is no weight between 0 and 1")


def _refuse(path, line, column, name, what):
    where = f"{path.name}, line {line}, column {column}" + (f" ({name})" if name else "")
    raise TrackingError(f"{where}: {what}. Correct the file or record again.")


def _rotations(columns):
    """The angles' columns as `Tracking.rotations`.

    Versions of the app differ in unit and in signs. Angles above a full turn are degrees; the eyes' shapes, which look the
    same way as the eyes turn, tell the signs of yaw and pitch, and the head's are taken to be the same.
    """
    rotations = {}
    for part in PARTS:
        if all(part + angle in columns for angle in ANGLES):
            rotations[part] = np.stack([columns[part + angle] for angle in ANGLES], axis=-1)
    if not rotations:
        return {}
    largest = max(np.abs(angles).max() for angles in rotations.values())
    scale = math.pi / 180 if largest > 2 * math.pi else 1.0
    outward = _motion(columns, "eyeLookOutLeft", "eyeLookInLeft")
    downward = _motion(columns, "eyeLookDownLeft", "eyeLookUpLeft")
    eye = rotations.get("leftEye", np.zeros((1, 3)))
    signs = np.array([_sign(eye[:, 0], outward), _sign(eye[:, 1], downward), 1.0])
    return {part: scale * signs * angles for part, angles in rotations.items()}


def _motion(columns, towards, away):
    return columns[towards] - columns[away] if towards in columns and away in columns else np.zeros(1)


def _sign(angles, motion):
    """-1 where angles and motion go against each other."""
    if len(angles) != len(motion):
        return 1.0
    return -1.0 if np.sum((angles - angles.mean()) * (motion - motion.mean())) < 0 else 1.0
