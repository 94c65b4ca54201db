"""The colour of skin from what absorbs light in it: melanin in the epidermis over blood in the dermis.

Published data, 400 to 700 nm in steps of 10 nm:
- eumelanin's absorption and the epidermis without pigment: Jacques, "Optical absorption of melanin", Oregon Medical Laser
  Center, 1998; the same form in Donner and Jensen, "A spectral BSSRDF for shading human skin", EGSR 2006, section 4;
- haemoglobin's molar extinction with and without oxygen: Prahl, "Optical absorption of hemoglobin", Oregon Medical Laser
  Center, 1999;
- reduced scattering of skin: Jacques, "Optical properties of biological tissues: a review", Phys. Med. Biol. 58, 2013, table 1;
- diffuse reflectance of a deep scattering layer: Flock et al., "Monte Carlo modeling of light propagation in highly
  scattering tissues", IEEE Trans. Biomed. Eng. 36, 1989, equation 6;
- colour matching functions: Wyman, Sloan and Shirley, "Simple analytic approximations to the CIE XYZ color matching
  functions", JCGT 2, 2013; illuminant D65: CIE 15.
The six tones stand in the six classes of the individual typology angle: Chardon, Cretois and Hourseau, Int. J. Cosmet. Sci. 13,
1991, as matched with Fitzpatrick's types by Del Bino and Bernerd, Br. J. Dermatol. 169, 2013.
"""

from functools import cache

import numpy as np
from scipy import ndimage

WAVELENGTHS = np.arange(400.0, 701, 10)  # nm
# Molar extinction in 1/(cm M): oxygenated, deoxygenated.
HAEMOGLOBIN = np.array([
    [266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20933, 20035, 24202, 39957, 53236, 43016,
     32613, 44496, 50104, 14401, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290],
    [223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590, 39036, 46592, 53412,
     53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795, 2408, 2052, 1794],
])  # fmt: skip
D65 = np.array([
    82.75, 91.49, 93.43, 86.68, 104.86, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80, 104.79, 107.69, 104.41, 104.05,
    100.00, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70, 80.03, 80.21, 82.28, 78.28, 69.72, 71.61,
])  # fmt: skip
XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
BLOOD_GRAMS, GRAMS_PER_MOLE, OXYGENATED = 150.0, 64500.0, 0.7  # g/l of blood, g/mol, share
EPIDERMIS, PASSES = 0.006, 2.2  # cm; how often scattered light crosses it on its way in and out
SURFACE = 0.042  # share that the horny layer scatters back before any pigment; without it dark skin would turn orange
# Melanosomes' share of the epidermis and blood's of the dermis for the six tones, Fitzpatrick I to VI.
TONE_MELANIN = np.array([0.006, 0.020, 0.050, 0.100, 0.230, 0.50])
TONE_BLOOD = np.array([0.007, 0.009, 0.009, 0.009, 0.009, 0.009])
MELANIN_AXIS = np.linspace(np.log(0.004), np.log(1.0), 48)
BLOOD_AXIS = np.linspace(np.log(0.0015), np.log(0.12), 40)


def reflectance(melanin, blood):
    """Diffuse reflectance of skin: melanin, blood (...) volume shares -> (...,31) at WAVELENGTHS."""
    melanin, blood = (np.asarray(a, float)[..., None] for a in (melanin, blood))
    plain = 0.244 + 85.3 * np.exp(-(WAVELENGTHS - 154) / 66.2)  # 1/cm
    oxygenated, bare = 2.303 * HAEMOGLOBIN * BLOOD_GRAMS / GRAMS_PER_MOLE
    dermis = blood * (OXYGENATED * oxygenated + (1 - OXYGENATED) * bare) + plain
    scattering = 46 * (WAVELENGTHS / 500) ** -1.421
    lost = dermis / (dermis + scattering)
    k = 2.5  # internal reflection at an index of 1.4
    deep = (1 - lost) / (1 + 2 * k * lost + (1 + 2 * k / 3) * np.sqrt(3 * lost))
    epidermis = melanin * 6.6e11 * WAVELENGTHS**-3.33 + (1 - melanin) * plain
    return SURFACE + (1 - SURFACE) * deep * np.exp(-PASSES * epidermis * EPIDERMIS)


def to_srgb(spectrum):
    """Reflectance (...,31) under D65 -> (...,3) sRGB, 0 to 255."""
    x, y, z = _matching()
    xyz = np.stack([(spectrum * D65 * bar).sum(-1) for bar in (x, y, z)], axis=-1) / (D65 * y).sum()
    return encode(np.clip(xyz @ XYZ_TO_RGB.T, 0, 1))


def encode(linear):
    """Linear light 0..1 -> sRGB 0..255."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def tone_pigments(tone):
    """Tone 0..5 -> log melanin, log blood."""
    return tuple(float(np.interp(tone, range(6), np.log(shares))) for shares in (TONE_MELANIN, TONE_BLOOD))


def tone_colour(tone):
    """Tone 0..5 -> (3,) float32 sRGB of skin without any spot or flush."""
    melanin, blood = np.exp(tone_pigments(tone))
    return to_srgb(reflectance(melanin, blood)).astype(np.float32)


def colours(log_melanin, log_blood):
    """Pigment densities at texels: (T,), (T,) natural logarithms -> (T,3) float32 sRGB, read from a table."""
    rows = [
        np.clip((values - axis[0]) / (axis[1] - axis[0]), 0, len(axis) - 1)
        for values, axis in ((log_melanin, MELANIN_AXIS), (log_blood, BLOOD_AXIS))
    ]
    channels = [ndimage.map_coordinates(channel, rows, order=1, mode="nearest") for channel in _table()]
    return np.stack(channels, axis=-1)


@cache
def _table():
    melanin, blood = np.meshgrid(np.exp(MELANIN_AXIS), np.exp(BLOOD_AXIS), indexing="ij")
    return np.ascontiguousarray(np.moveaxis(to_srgb(reflectance(melanin, blood)), -1, 0).astype(np.float32))


def _matching():
    def lobe(weight, centre, below, above):
        return weight * np.exp(-0.5 * ((WAVELENGTHS - centre) * np.where(WAVELENGTHS < centre, below, above)) ** 2)

    x = lobe(0.362, 442.0, 0.0624, 0.0374) + lobe(1.056, 599.8, 0.0264, 0.0323) + lobe(-0.065, 501.1, 0.0490, 0.0382)
    y = lobe(0.821, 568.8, 0.0213, 0.0247) + lobe(0.286, 530.9, 0.0613, 0.0322)
    z = lobe(1.217, 437.0, 0.0845, 0.0278) + lobe(0.681, 459.0, 0.0385, 0.0725)
    return x, y, z
