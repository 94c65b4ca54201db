"""What a head's skin, eyes and hair look like, as parameters that words can name."""

from dataclasses import dataclass

import numpy as np

from .hair import BALD, Hair, random_hair

SKIN_TONES = ("very pale", "fair", "light brown", "olive", "brown", "dark brown")  # light to dark, Fitzpatrick I to VI
EYE_COLOURS = ("blue", "green", "grey", "hazel", "brown", "dark brown")
HAIR_COLOURS = ("black", "dark brown", "brown", "red", "blond", "grey", "white")
SCALPS = ("bald", "shaved", "short hair")  # painted on the skin; hair volumes are geometry
SCALP_UNDER = {BALD: 0, "receding": 0, "buzz cut": 1, "mohawk": 1}  # hair style -> scalp; all others have short hair
BEARDS = ("none", "stubble", "moustache", "goatee", "full beard")
LIPS = ("natural", "pale", "pink lipstick", "red lipstick", "dark lipstick")
MAKE_UPS = ("none", "eye shadow", "clown", "gothic", "eyeliner")
BROW_SHAPES = ("natural", "straight", "arched", "round", "slanted", "joined")
STYLES = (
    "skin", "marble statue", "bronze statue", "clay", "robot metal", "zombie", "alien", "vampire", "joker", "orc", "ghost",
    "werewolf", "wood", "porcelain doll", "old photograph",
)  # fmt: skip
# Styles under which the look's own hair or eye colour can be seen.
SHOW_HAIR = frozenset(STYLES.index(name) for name in ("skin", "werewolf", "porcelain doll"))
SHOW_EYES = frozenset(STYLES.index(name) for name in ("skin", "porcelain doll"))


@dataclass(frozen=True)
class Look:
    """Appearance of one head. Indices point into the tuples above."""

    tone: float  # 0..5, continuous along SKIN_TONES
    eyes: int
    hair: int  # colour of scalp hair and brows
    scalp: int
    beard: int
    lips: int
    make_up: int
    style: int
    brow_density: float  # 0..1
    redness: float  # 0..1, cheeks and nose
    freckles: float  # 0..1
    wrinkles: float  # 0..1, follows age
    seed: int  # of pores, spots and hairs
    hairdo: str = ""  # style of `hair.Hair`; empty: what the painted scalp looks like
    volume: float = 0.0  # of the hair, as in `hair.Hair`
    length: float = 0.0
    brow_shape: int = 0
    moles: float = 0.0  # 0..1
    veins: float = 0.0  # 0..1
    scars: float = 0.0  # 0..1

    @property
    def hair_shape(self):
        """The hair as geometry, a `hair.Hair`."""
        return Hair(self.hairdo or (BALD, "buzz cut", "short")[self.scalp], self.volume, self.length)


def random_look(rng, person, even=0.0):
    """A look that goes with a `people.Person`: tone by ancestry, greying by age, beards on grown men, hair by `random_hair`.

    even: chance that every colour, beard, make-up and style is drawn evenly instead, each with its own chance.
    """
    african, asian = person.ancestry["african"], person.ancestry["asian"]
    tone = np.clip(0.9 + 3.7 * african + 1.2 * asian + rng.normal() * 0.6, 0, 5)
    fair = max(0.0, 1 - tone / 2.5)  # fair people have the rarer eye and hair colours
    eyes = rng.choice(6, p=_normalised([0.25 * fair, 0.15 * fair, 0.12 * fair, 0.12, 0.3, 0.15 + 0.1 * (1 - fair)]))
    hair = rng.choice(7, p=_normalised([0.3 + 0.5 * (1 - fair), 0.25, 0.2 * fair + 0.05, 0.15 * fair, 0.25 * fair, 0, 0]))
    greying = np.clip((person.age - 42) / 25, 0, 1)
    if rng.random() < greying:
        hair = 6 if rng.random() < 0.45 * greying else 5
    elif rng.random() < 0.15:  # dyed or unusual hair keeps every combination of words alive
        hair = rng.integers(7)
    if rng.random() < 0.12:
        eyes = rng.integers(6)
    man, adult = person.gender > 0.5, person.age >= 18
    beard = rng.choice(5, p=[0.4, 0.2, 0.12, 0.12, 0.16]) if man and adult else 0
    lips = rng.choice(5, p=[0.7, 0.15, 0.04, 0.06, 0.05] if man else [0.35, 0.1, 0.2, 0.2, 0.15])
    make_up = rng.choice(5, p=[0.9, 0.02, 0.04, 0.03, 0.01] if man else [0.55, 0.2, 0.06, 0.07, 0.12])
    style = 0 if rng.random() < 0.72 else int(rng.integers(1, len(STYLES)))
    worn = random_hair(rng, person)
    if rng.random() < even:
        eyes, hair, lips, make_up = (rng.integers(len(names)) for names in (EYE_COLOURS, HAIR_COLOURS, LIPS, MAKE_UPS))
        beard = rng.integers(len(BEARDS)) if man and adult else 0
        style = int(rng.integers(len(STYLES))) if rng.random() < 0.4 else 0
    return Look(
        tone=float(tone),
        eyes=int(eyes),
        hair=int(hair),
        scalp=SCALP_UNDER.get(worn.style, 2),
        beard=int(beard),
        lips=int(lips),
        make_up=int(make_up),
        style=style,
        brow_density=float(rng.uniform(0.35, 1)),
        redness=float(rng.beta(2, 4)),
        freckles=float(rng.beta(1, 3) * (tone < 2)) if rng.random() < 0.35 else 0.0,
        wrinkles=float(np.clip((person.age - 30) / 45 + rng.normal() * 0.08, 0, 1)),
        seed=int(rng.integers(2**31)),
        hairdo=worn.style,
        volume=worn.volume,
        length=worn.length,
        brow_shape=int(rng.choice(6, p=[0.4, 0.13, 0.1, 0.13, 0.14, 0.1] if man else [0.3, 0.13, 0.26, 0.18, 0.1, 0.03])),
        moles=float(rng.uniform(0.3, 1)) if rng.random() < 0.15 else 0.0,
        veins=float(np.clip(rng.beta(1, 4) + 0.4 * np.clip((person.age - 55) / 30, 0, 1), 0, 1)),
        scars=float(rng.uniform(0.3, 1)) if rng.random() < (0.1 if man else 0.03) else 0.0,
    )


def _normalised(weights):
    weights = np.asarray(weights, float)
    return weights / weights.sum()
