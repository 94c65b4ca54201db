"""Sentences about heads, and the parameters each sentence speaks of.

The papers' template, "a face of a {young | middle-aged | old} {ethnicity} {man | woman | person} with {colour} hair,
{expression}", widened with everything our people and looks vary in: synonyms, word order, degrees, negation, omission.
Style and expression are always said when there is something to say, so silence means natural skin and a neutral face.
"""

import re
from dataclasses import dataclass

import numpy as np

from . import vocabulary
from .expressions import EXPRESSIONS
from .hair import BALD, STYLE_NAMES
from .look import (
    BEARDS,
    BROW_SHAPES,
    EYE_COLOURS,
    HAIR_COLOURS,
    LIPS,
    MAKE_UPS,
    SHOW_EYES,
    SHOW_HAIR,
    STYLES,
)
from .people import ANCESTRIES, OPPOSITES

MEASURES = (
    "head width", "face roundness", "jaw width", "jaw squareness", "cheek width", "chin width", "chin prominence", "nose width",
    "nose length", "nose projection", "nose tip up", "mouth width", "lip fullness", "eye opening", "eye width", "eye spacing",
    "brow height", "ear size", "ear protrusion", "neck width",
)  # fmt: skip
NAMES = tuple(EXPRESSIONS)
HAIR_AMOUNT = 1.7  # volume and length of hair, -1 .. 1, times this are of unit size

# Parameters a sentence can speak of: topic -> how many numbers of the parameter vector it owns, in this order.
LAYOUT = {"gender": 1, "age": 1, "ancestry": len(ANCESTRIES)}
LAYOUT |= dict.fromkeys(MEASURES, 1) | {pair[0]: 1 for pair in OPPOSITES}
LAYOUT |= {"tone": 1, "eyes": len(EYE_COLOURS), "hair": len(HAIR_COLOURS), "scalp": len(STYLE_NAMES), "beard": len(BEARDS)}
LAYOUT |= {"lips": len(LIPS), "make-up": len(MAKE_UPS), "style": len(STYLES)}
LAYOUT |= {
    "hair volume": 1,
    "hair length": 1,
    "brow density": 1,
    "redness": 1,
    "freckles": 1,
    "wrinkles": 1,
    "brow shape": len(BROW_SHAPES),
    "moles": 1,
    "veins": 1,
    "scars": 1,
    "expression": len(NAMES),
}
SLICES = {}
for _topic, _width in LAYOUT.items():
    _start = sum(s.stop - s.start for s in SLICES.values())
    SLICES[_topic] = slice(_start, _start + _width)
PARAMETERS = sum(LAYOUT.values())


def parameters(person, attributes, look, expression):
    """What a head is, as numbers of about unit size: (PARAMETERS,) float32 in the order of LAYOUT.

    attributes: measure name -> z-score. expression: a name, or names -> weights.
    """
    row = np.zeros(PARAMETERS, np.float32)
    row[SLICES["gender"]] = 2 * person.gender - 1
    row[SLICES["age"]] = (person.age - 50) / 20
    row[SLICES["ancestry"]] = [person.ancestry[name] for name in ANCESTRIES]
    for name in MEASURES:
        row[SLICES[name]] = np.clip(attributes[name], -3, 3)
    for one, other in OPPOSITES:
        row[SLICES[one]] = 2 * (person.local.get(one, 0) - person.local.get(other, 0))
    row[SLICES["tone"]] = (look.tone - 2) / 1.5
    hair = look.hair_shape
    row[SLICES["hair volume"]], row[SLICES["hair length"]] = HAIR_AMOUNT * hair.parameters()[-2:]
    indices = (look.eyes, look.hair, STYLE_NAMES.index(hair.style), look.beard, look.lips, look.make_up, look.style)
    for topic, index in zip(("eyes", "hair", "scalp", "beard", "lips", "make-up", "style"), indices, strict=True):
        row[SLICES[topic].start + index] = 1
    row[SLICES["brow shape"].start + look.brow_shape] = 1
    for topic in ("brow density", "redness", "freckles", "wrinkles", "moles", "veins", "scars"):
        row[SLICES[topic]] = 2 * getattr(look, topic.replace(" ", "_")) - 0.5
    row[SLICES["expression"]] = expression_weights(expression)
    return row


def expression_weights(expression):
    """A name, or names -> weights, as (23,) float32 in the order of EXPRESSIONS."""
    weights = {expression: 1.0} if isinstance(expression, str) else expression
    return np.array([weights.get(name, 0) for name in NAMES], np.float32)


def mask(mentioned):
    """Which parameters a set of topics speaks of: (PARAMETERS,) bool."""
    row = np.zeros(PARAMETERS, bool)
    for topic in mentioned:
        row[SLICES[topic]] = True
    return row


def caption(person, attributes, look, expression, rng):
    """A sentence about a head; see `describe`."""
    return describe(person, attributes, look, expression, rng)[0]


@dataclass(frozen=True)
class _Head:
    """Everything the tables ask about; gendered words follow `man`."""

    person: object
    z: dict
    look: object
    man: bool

    @property
    def age(self):
        return self.person.age

    @property
    def striking(self):
        """Whether nobody would leave the make-up out: else sentences without a word of it would get such faces at times."""
        name, mans = MAKE_UPS[self.look.make_up], self.man and (self.look.make_up > 0 or self.look.lips > 1)
        return not self.look.style and (name in ("clown", "gothic") or mans)


def describe(person, attributes, look, expression, rng):
    """A sentence about a head, and what it speaks of.

    person: people.Person, attributes: measure name -> z-score, look: look.Look, expression: a name of EXPRESSIONS or names ->
    weights, rng: numpy Generator -> (str, frozenset of topics of LAYOUT). The sentence is lower case; it may be empty.
    """
    head = _Head(person, attributes, look, person.gender > 0.5)
    faces = {expression: 1.0} if isinstance(expression, str) else {n: w for n, w in expression.items() if w}
    plain = look.style == 0 and not head.striking and set(faces) <= {"neutral"}
    if plain and rng.random() < 0.02:
        return "", frozenset({"style", "expression"})
    return _Sentence(head, faces, rng).build()


class _Sentence:
    """Gathers adjectives and noun phrases about a head, then puts them together one of many ways."""

    def __init__(self, head, faces, rng):
        self.head, self.faces, self.rng = head, faces, rng
        self.mentioned = {"style", "expression"}  # silence about them means natural skin and a neutral face
        self.adjectives, self.phrases, self.endings = [], [], []
        self.names_gender = rng.random() < 0.72
        his = "her" if not head.man else "his"
        self.his = his if self.names_gender or rng.random() < 0.2 else "the"

    def pick(self, options):
        return options[int(self.rng.random() * len(options))]

    def word(self, options):
        """One word of a spaced list; underscores join words that belong together."""
        return self.pick(options.split()).replace("_", " ")

    def chance(self, p):
        return self.rng.random() < p

    def build(self):
        self.noun, noun_topics = self.choose_noun()
        first_noun = self.noun
        self.say_age()
        self.say_origin()
        tellers = [self.say_build, self.say_skin, self.say_hair, self.say_beard, self.say_eyes, self.say_make_up, self.say_fine]
        if self.chance(0.2):  # there are many hairs to learn
            tellers.remove(self.say_hair)
            self.say_hair()
        if self.head.striking:
            tellers.remove(self.say_make_up)
            self.say_make_up()
        most = int(self.pick((0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 10)))
        measured, local = list(self.measured_things()), list(self.local_things())
        while most > 0:
            most -= 1
            if self.chance(0.45) and (measured or local):
                things = local if local and (not measured or self.chance(0.45)) else measured
                things.pop(int(self.rng.random() * len(things)))()
            elif tellers:
                tellers.pop(int(self.rng.random() * len(tellers)))()
        if self.chance(0.1):
            fitting = [words for words, fits in vocabulary.LOOKS if fits(self.head)]
            if fitting:
                self.adjectives.append(self.word(self.pick(fitting)))
        self.say_expression()
        text = self.assemble().replace("{his}", self.his)
        if first_noun in text:  # some styles and hair words take the noun's place
            self.mentioned |= noun_topics
        if not {"he", "she", "his", "her"}.isdisjoint(re.findall(r"\w+", text)):
            self.mentioned.add("gender")
        return text, frozenset(self.mentioned)

    def choose_noun(self):
        """A noun, and the topics it speaks of."""
        head, man = self.head, self.head.man
        fitting = [role for role in vocabulary.ROLES if role[1](head)] if self.chance(0.12) else []
        if fitting:
            nouns, _, topics = self.pick(fitting)
            return self.word(nouns), {topic.replace("_", " ") for topic in topics.split()}
        if head.age < 13:
            if not self.names_gender:
                return self.word("child kid child youngster toddler infant little_one"), {"age"}
            boys, girls = (
                "boy boy toddler_boy little_boy schoolboy son",
                "girl girl toddler_girl little_girl schoolgirl daughter",
            )
            return self.word(boys if man else girls), {"age", "gender"}
        if not self.names_gender:
            return self.word("person human face head someone individual character"), set()
        if head.age < 22 and self.chance(0.2):
            return self.word("lad boy teenage_boy" if man else "girl lass teenage_girl"), {"age", "gender"}
        if not man and head.age < 32 and self.chance(0.2):
            return "girl", {"age", "gender"}
        men, women = "man man man man male guy gentleman fellow bloke dude", "woman woman woman woman female lady lady"
        return self.word(men if man else women), {"gender"}

    def say_age(self):
        if not self.chance(0.55):
            return
        age = self.head.age
        self.mentioned.add("age")
        if self.chance(0.35):
            return self.say_years(int(round(age)))
        words = "young little" if age < 13 else "young young young youthful"
        if 13 <= age < 20:
            words = "young young teenage adolescent youthful teen"
        elif 34 <= age < 60:
            words = "middle_aged middle_aged mature adult grown_up" if age > 39 else "adult grown_up youngish thirtyish"
        elif age >= 60:
            words = (
                "old old elderly elderly aged senior older"
                if age < 76
                else "old old elderly very_old ancient aged really_old extremely_old"
            )
        self.adjectives.insert(0, self.word(words))

    def say_years(self, age):
        if self.chance(0.4):
            age = 10 * round(age / 10)
        tens, ones = divmod(age, 10)
        number = vocabulary.TENS[tens - 1] if ones == 0 and self.chance(0.4) else str(age)
        if self.chance(0.3) and tens > 1:
            part = "early " if ones < 3 else "late " if ones > 6 else "mid "
            self.endings.append(f"in {self.his} {part if self.chance(0.4) else ''}{vocabulary.DECADES[tens - 1]}")
        elif self.chance(0.6):
            self.adjectives.insert(0, f"{number} {self.pick(('year old', 'year old', 'years old', 'yo'))}")
        else:
            self.endings.append(
                self.pick((f"aged {number}", f"{number} years old", f"of {number} years", f"age {number}", f"at {number}"))
            )

    def say_origin(self):
        if not self.chance(0.3) or self.head.look.style:
            return
        ancestry, tone = self.head.person.ancestry, self.head.look.tone
        first, second = sorted(ancestry, key=ancestry.get, reverse=True)[:2]
        if ancestry[first] > 0.62:
            word = self.word(vocabulary.ORIGINS[first])
        elif ancestry[second] > 0.28:
            names = {frozenset(("caucasian", "asian")): "eurasian half_asian indian hispanic latino mixed_race mexican"}
            names[frozenset(("caucasian", "african"))] = "mixed_race biracial half_african mulatto brazilian"
            names[frozenset(("asian", "african"))] = "mixed_race biracial half_asian polynesian"
            word = self.word(names[frozenset((first, second))])
            if word in ("indian", "hispanic", "latino", "mexican", "brazilian") and tone < 1.5:
                word = "mixed race"
        else:
            return
        if first == "caucasian" and ancestry[first] > 0.62 and 1.7 < tone < 3.6 and self.chance(0.6):
            word = self.word("arab arabic middle_eastern mediterranean turkish persian")
        self.mentioned.add("ancestry")
        self.adjectives.append(word)

    def say_build(self):
        local = self.head.person.local
        for word, adjectives in vocabulary.BUILD.items():
            if local.get(word, 0) > 0.3:
                self.mentioned.add("heavy")
                if self.chance(0.75):
                    self.adjectives.insert(0, self.degree((local[word] - 0.3) * 2.2) + self.word(adjectives))
                else:
                    self.phrases.append(self.pick(vocabulary.BUILD_NP[word]))

    def degree(self, strength):
        """Now and then how much. strength: 0 when hardly worth saying, above 1.1 when extreme."""
        if strength > 1.1 and self.chance(0.3):
            return self.pick(vocabulary.MUCH) + " "
        if strength < 0.5 and self.chance(0.25):
            return self.pick(("slightly", "somewhat", "rather", "quite", "fairly", "a bit")) + " "
        return ""

    def measured_things(self):
        for topics, noun, more, less, much_more, much_less in vocabulary.MEASURED:
            z = sum(self.head.z[topic] for topic in topics) / len(topics) ** 0.5 if len(topics) > 1 else self.head.z[topics[0]]
            if abs(z) > 0.6:
                words = more if z > 0 else less
                if abs(z) > 1.6 and self.chance(0.4):
                    words = (much_more if z > 0 else much_less) or words
                strength = abs(z) - 0.6
                yield lambda t=topics, n=noun, w=words, s=strength: self.add_feature(t, n, w, s)
            elif abs(z) < 0.2 and self.chance(0.04):
                yield lambda t=topics, n=noun: self.add_feature(t, n, "normal average ordinary", 0.7)

    def local_things(self):
        for word, weight in self.head.person.local.items():
            measure, sign = vocabulary.AGREES.get(word, (None, 1))
            if word in vocabulary.LOCAL and weight > 0.3 and (measure is None or sign * self.head.z[measure] > 0.4):
                adjectives, nouns, phrases = vocabulary.LOCAL[word]
                row = next(pair[0] for pair in OPPOSITES if word in pair)
                topics = (row, measure) if measure else (row,)
                strength = (weight - 0.3) * 2
                yield lambda t=topics, a=adjectives, n=nouns, p=phrases, s=strength: self.add_feature(t, n, a, s, p)

    def add_feature(self, topics, nouns, adjectives, strength, phrases=""):
        self.mentioned.update(topics)
        if phrases and self.chance(0.4):
            self.phrases.append(self.pick(phrases.split("|")))
            return
        noun, adjective = self.word(nouns), self.degree(strength) + self.word(adjectives)
        form = self.rng.random()
        if form < 0.1 and noun in ("eyes", "ears", "lips", "nose", "jaw", "face", "chin", "cheeks"):
            stem = {"eyes": "eyed", "ears": "eared", "lips": "lipped", "nose": "nosed", "jaw": "jawed", "face": "faced"}
            self.adjectives.append(f"{adjective} {stem.get(noun, noun.rstrip('s') + 'ed')}")
        elif form < 0.18:
            self.phrases.append(f"the {noun} {'are' if noun.endswith('s') else 'is'} {adjective}")
        elif form < 0.24:
            self.phrases.append(
                f"a {noun} that {'are' if noun.endswith('s') else 'is'} {adjective}".replace(
                    f"a {noun} that are", f"{noun} that are"
                )
            )
        else:
            self.phrases.append(adjective + " " + noun if noun.endswith("s") else _article(adjective) + f" {adjective} {noun}")

    def say_skin(self):
        look = self.head.look
        if look.style:
            return
        word = self.word(vocabulary.TONES[int(np.clip(round(look.tone), 0, 5))])
        self.mentioned.add("tone")
        if self.chance(0.2):
            self.adjectives.append(
                self.pick((f"{word} skinned", f"{word} skinned", "pale" if look.tone < 0.5 else f"{word} skinned"))
            )
        else:
            self.phrases.append(
                self.pick(
                    (f"{word} skin", f"{word} skin", f"a {word} skin tone", f"a {word} complexion", f"{word} skin colour")
                )
            )

    def say_hair(self):
        """Style, colour, or both, in one phrase or two."""
        look, hair = self.head.look, self.head.look.hair_shape
        before, adjectives, phrases = vocabulary.HAIRDOS[hair.style]
        if hair.style == BALD:
            self.mentioned.add("scalp")
            if self.chance(0.12):
                self.endings.append(self.pick(("without hair", "without any hair", "who has lost all hair")))
            elif self.chance(0.45):
                self.adjectives.insert(0, self.word(adjectives))
            else:
                self.phrases.append(self.pick(phrases.split("|")))
            return
        coloured = look.style in SHOW_HAIR and self.chance(0.6)
        if coloured and self.chance(0.3):
            return self.say_hair_colour()
        colour = f"{self.word(vocabulary.HAIR[look.hair])} " if coloured else ""
        self.mentioned.add("scalp")
        amount = self.hair_amount(hair)
        form = self.rng.random()
        if form < 0.15 and adjectives and not colour and not amount:
            self.adjectives.append(self.word(adjectives))
            return
        if form < 0.55 and (before or amount):
            style = f"{self.word(before)} " if before and not (amount and self.chance(0.4)) else ""
            words = [amount, style, colour] if self.chance(0.8) else [amount, colour, style]
            self.phrases.append("".join(words) + "hair")
        else:
            phrase = self.pick(phrases.split("|"))
            if "{c}" not in phrase and colour:
                self.phrases.append(f"{colour}hair")
            phrase = phrase.replace("{c} ", colour)
            if phrase.startswith(("a ", "an ")):
                phrase = f"{_article(phrase.split(' ', 1)[1])} {phrase.split(' ', 1)[1]}"
            if amount:
                self.phrases.append(f"{amount}hair")
            self.phrases.append(phrase)
        if colour:
            self.mentioned.add("hair")

    def hair_amount(self, hair):
        """Now and then how long hanging hair is, or how voluminous any hair is; else nothing."""
        lengths = vocabulary.LONG_HAIR.get(hair.style)
        if lengths and self.chance(0.3):
            self.mentioned.add("hair length")
            return f"{self.word(lengths[0 if hair.length < -0.4 else 2 if hair.length > 0.4 else 1])} "
        if abs(hair.volume) > 0.45 and self.chance(0.2) and hair.style not in ("buzz cut", "receding"):
            self.mentioned.add("hair volume")
            return f"{self.word(vocabulary.HAIR_VOLUME[hair.volume > 0])} "
        return ""

    def say_hair_colour(self):
        """Nothing but the colour."""
        name, word = HAIR_COLOURS[self.head.look.hair], self.word(vocabulary.HAIR[self.head.look.hair])
        self.mentioned.add("hair")
        if (
            name in vocabulary.HAIR_NOUNS
            and self.noun in ("man", "woman", "girl", "lady", "guy", "person")
            and self.chance(0.2)
        ):
            self.noun = self.pick(vocabulary.HAIR_NOUNS[name].split("|")).replace("{n}", self.noun)
        elif self.chance(0.3):
            self.adjectives.append(f"{word} haired")
        else:
            self.phrases.append(f"{word} hair")

    def say_beard(self):
        look = self.head.look
        adult_man = self.head.man and self.head.age >= 18
        if look.beard == 0 and not self.chance(0.5 if adult_man else 0.08):
            return
        self.mentioned.add("beard")
        if look.beard == 0 and self.chance(0.45):
            self.endings.append(
                f"without {self.pick(('', 'a ', 'any '))}{self.pick(vocabulary.BEARD_ABSENT)}".replace("a facial", "facial")
            )
            return
        adjectives, phrases = vocabulary.BEARDS[look.beard]
        if self.chance(0.25) and look.beard not in (2, 3):
            self.adjectives.append(self.word(adjectives))
            return
        phrase = self.pick(phrases.split("|"))
        if look.beard and self.chance(0.25) and look.style in SHOW_HAIR:
            self.mentioned.add("hair")
            noun = phrase.removeprefix("a ")
            phrase = f"a {self.word(vocabulary.HAIR[look.hair])} {noun}"
        self.phrases.append(phrase)

    def say_eyes(self):
        if self.head.look.style not in SHOW_EYES:
            return
        word = self.word(vocabulary.EYES[self.head.look.eyes])
        self.mentioned.add("eyes")
        if self.chance(0.15):
            self.adjectives.append(f"{word} eyed")
        else:
            self.phrases.append(self.pick((f"{word} eyes", f"{word} eyes", f"{word} irises", f"{word} coloured eyes")))

    def say_make_up(self):
        look = self.head.look
        if look.style:
            return
        if look.make_up == 0 and look.lips == 0 and not self.chance(0.35):
            return
        if look.make_up or self.chance(0.5):
            self.mentioned.add("make-up")
            adjectives, phrases = vocabulary.MAKE_UPS[look.make_up]
            if look.make_up == 0 and self.chance(0.5):
                self.endings.append(
                    self.pick(("without make up", "without makeup", "without any make up", "not wearing make up"))
                )
            elif adjectives and self.chance(0.3):
                self.adjectives.append(self.word(adjectives))
            elif look.make_up == 2 and self.chance(0.4):
                self.noun = self.pick(("clown", "circus clown"))
            else:
                self.phrases.append(self.pick(phrases.split("|")))
        if look.lips or self.chance(0.3):
            self.mentioned.add("lips")
            self.phrases.append(self.pick(vocabulary.LIPS[look.lips].split("|")))

    def say_fine(self):
        """One of the finer things: brows, redness, freckles, wrinkles."""
        look = self.head.look
        things = []
        if look.brow_density > 0.8:
            things.append(
                ("brow density", "bushy eyebrows|thick eyebrows|thick brows|bushy brows|dense eyebrows|heavy eyebrows", "")
            )
        elif look.brow_density < 0.5:
            things.append(("brow density", "thin eyebrows|sparse eyebrows|light eyebrows|thin brows|plucked eyebrows", ""))
        if look.brow_shape:
            things.append(("brow shape", vocabulary.BROW_SHAPES[look.brow_shape], ""))
        if look.style == 0:
            if look.redness > 0.5:
                things.append(
                    (
                        "redness",
                        "rosy cheeks|red cheeks|a red nose|flushed cheeks|a flushed face|pink cheeks",
                        "blushing ruddy flushed rosy",
                    )
                )
            if look.freckles > 0.2:
                things.append(
                    (
                        "freckles",
                        "freckles|many freckles|freckles on the nose|freckled skin|freckles on the cheeks",
                        "freckled freckly",
                    )
                )
            elif look.tone < 2:
                things.append(("freckles", "no freckles|clear skin|flawless skin", ""))
            for topic in ("moles", "veins", "scars"):
                if getattr(look, topic) > 0.25:
                    things.append((topic, *vocabulary.MARKS[topic]))
        if look.wrinkles > 0.5:
            things.append(
                (
                    "wrinkles",
                    "wrinkles|deep wrinkles|wrinkled skin|a lined face|many wrinkles|a wrinkled face|a wrinkly "
                    "forehead|crow feet",
                    "wrinkled wrinkly",
                )
            )
        elif look.wrinkles < 0.06:
            things.append(("wrinkles", "smooth skin|no wrinkles|a smooth face|soft skin|baby skin", ""))
        if not things:
            return
        topic, phrases, adjectives = self.pick(things)
        self.mentioned.add(topic)
        if adjectives and self.chance(0.25):
            self.adjectives.append(self.word(adjectives))
        else:
            phrase = self.pick(phrases.split("|"))
            if phrase.startswith("no ") and self.chance(0.5):
                self.endings.append("without " + phrase[3:])
            else:
                self.phrases.append(phrase)

    def say_expression(self):
        faces = self.faces or {"neutral": 1.0}
        if set(faces) == {"neutral"} and not self.chance(0.3):
            return
        for name, weight in faces.items():
            states, phrases = vocabulary.EXPRESSIONS[name]
            if self.chance(0.62):
                state = self.pick(states.split("|"))
                if weight > 1.08 and name != "neutral":
                    state = f"{self.pick(vocabulary.MUCH)} {state}"
                elif weight < 0.75:
                    state = f"{self.pick(vocabulary.LITTLE)} {state}"
                if self.chance(0.35) and len(faces) == 1:
                    self.adjectives.insert(0 if self.chance(0.6) else len(self.adjectives), state)
                else:
                    self.endings.append(
                        self.pick(
                            (state, state, state, f"who is {state}", f"looking {state}", f", {state}", f"{state} expression")
                        )
                    )
            else:
                phrase = self.pick(phrases.split("|"))
                if phrase.startswith(("a ", "an ")) and weight > 1.08:
                    phrase = f"a {self.pick(vocabulary.MUCH_NP)} {phrase.split(' ', 1)[1]}"
                elif phrase.startswith(("a ", "an ")) and weight < 0.75:
                    phrase = f"a {self.pick(vocabulary.LITTLE_NP)} {phrase.split(' ', 1)[1]}"
                elif weight < 0.75:
                    phrase = f"{self.pick(vocabulary.LITTLE)} {phrase}"
                self.phrases.append(phrase)

    def shuffled(self, things):
        return [things[i] for i in self.rng.permutation(len(things))]

    def assemble(self):
        """One of many shapes: the papers' sentence, a list of tags, several sentences, or the bare words."""
        adjectives = self.adjectives if self.chance(0.5) else self.shuffled(self.adjectives)
        phrases, endings = self.shuffled(self.phrases), self.shuffled(self.endings)
        form = self.rng.random()
        if self.head.look.style == 0 and form < 0.24:
            bare = [] if self.noun in ("person", "someone") and self.chance(0.7) else [self.noun]
            tags = self.shuffled(adjectives + phrases + endings + bare)
            if form < 0.12 and adjectives and bare:
                tags = [f"{' '.join(adjectives)} {self.noun}"] + self.shuffled(phrases + endings)
            return self.drop_articles(", ".join(tags) if self.chance(0.8) else " ".join(tags), 0.6)
        noun = self.noun
        style = self.style_template()
        holds_noun = "{n}" in style or "{s}" not in style
        if holds_noun:
            stem = style.replace("{n}", noun).replace("{a}", "").strip()
            stem = stem.removeprefix("the ")
            subject = " ".join([*adjectives, stem])
        else:
            subject = " ".join([*adjectives, noun])
        if noun not in ("someone",) or adjectives:
            subject = f"{_article(subject)} {subject}"
        subject = self.pick((subject, subject, subject, subject, "the " + subject.split(" ", 1)[-1]))
        subject = self.with_phrases(subject, phrases, endings)
        if not holds_noun:
            article = _article(style.replace("{a} ", ""))
            subject = style.replace("{a}", article).replace("{s}", subject)
        text = self.pick(vocabulary.PREFIXES).replace("{s}", subject) if self.head.look.style not in (1, 2, 3) else subject
        return self.drop_articles(text, 0.15)

    def style_template(self):
        style = self.head.look.style
        return self.pick(vocabulary.STYLES[style].split("|")) if style else "{s}"

    def with_phrases(self, subject, phrases, endings):
        he = {"his": "he", "her": "she"}.get(self.his, "it")
        form = self.rng.random()
        early = [e for e in endings if self.chance(0.3)]
        late = [e for e in endings if e not in early]
        text = " ".join([subject, *early])
        if phrases and form < 0.2:
            text += f". {he} has {_and(phrases)}"
        elif phrases and form < 0.35:
            text += ", " + ", ".join(phrases)
        elif phrases and form < 0.45:
            text += f" who has {_and(phrases)}"
        elif phrases and form < 0.53:
            text += "".join(f" with {phrase}" for phrase in phrases)
        elif phrases:
            text += f" {self.pick(('with', 'with', 'with', 'having'))} {_and(phrases)}"
        if late and self.chance(0.15):
            return text + f". {he} is {' and '.join(late)}"
        return text + "".join(self.pick((" ", ", ", ", ")) + ending for ending in late)

    def drop_articles(self, text, p):
        if not self.chance(p):
            return text
        return " ".join(word for word in text.split() if word not in ("a", "an", "the"))


def _article(words):
    return "an" if words[:1] in "aeiou" and not words.startswith("eu") else "a"


def _and(phrases):
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
