"""A whole studio head by seed: surface, distances of skin and hair, anchors, parameters, and what it is like in words."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .attributes import Observer
from .hair import Barber, HairShape
from .look import Look, random_look
from .people import Person, Population
from .shapes import HeadShape

AGE_WORDS = ((13, "child"), (20, "teenager"), (35, "young"), (60, "middle-aged"), (200, "old"))  # below so many years


@dataclass(frozen=True, eq=False)
class StudioHead:
    """One head in the canonical pose; points and distances are in NPHM units, negative inside."""

    person: Person
    look: Look
    skin: HeadShape  # sdf(points), sample_surface(count, rng)
    hair: HairShape  # the same; FAR everywhere if bald
    anchors: np.ndarray  # (39,3)
    shape_code: np.ndarray  # (SHAPE_DIMENSIONS,) whitened shape parameters
    hair_parameters: np.ndarray  # (hair.PARAMETERS,)
    attributes: dict  # measures as z-scores and traits, by name; see `attributes`
    given: tuple  # words it was made from
    measured: tuple  # words for what stands out on its surface


class Studio:
    """Makes heads; `studio(seed)` is deterministic, and seeds are independent of each other."""

    @cached_property
    def population(self):
        return Population()

    @cached_property
    def barber(self):
        return Barber(self.population)

    @cached_property
    def observer(self):
        return Observer(self.population)

    def __call__(self, seed):
        """An integer -> StudioHead, in about 0.1 s; distances cost more, when they are asked for."""
        person = self.population.person(seed)
        look = random_look(np.random.default_rng([seed, 78]), person)
        skin = HeadShape(self.population, person)
        attributes = self.observer.read(skin.vertices)
        return StudioHead(
            person=person,
            look=look,
            skin=skin,
            hair=HairShape(self.barber, person, look.hair_shape),
            anchors=self.population.anchors(skin.vertices),
            shape_code=self.population.shape_code(person),
            hair_parameters=look.hair_shape.parameters(),
            attributes=attributes,
            given=given_words(person, look),
            measured=tuple(self.observer.words(attributes)),
        )


def given_words(person, look):
    """Words for the parameters of a person and a look: age, gender, ancestry, hair style, local shapes."""
    age = next(word for limit, word in AGE_WORDS if person.age < limit)
    gender = "male" if person.gender > 0.5 else "female"
    ancestry = [name for name, weight in person.ancestry.items() if weight > 0.6] or ["mixed ancestry"]
    local = [word for word, weight in person.local.items() if weight > 0.3]
    return (age, gender, *ancestry, look.hair_shape.style, *local)
