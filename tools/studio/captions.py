"""Sentences about heads, and the parameters each sentence speaks of.

The papers' template, "a face of a {young | middle-aged | old} {ethnicity} {man | woman | person} with {colour} hair,
{expression}", widened with everything our people and looks vary in: synonyms, word order, degrees, negation, omission.
Style and expression are always said when there is something to say, so silence means natural skin and a neutral face.
"""

from dataclasses import dataclass

import numpy as np

from .expressions import EXPRESSIONS
from .look import BEARDS, EYE_COLOURS, HAIR_COLOURS, LIPS, MAKE_UPS, SCALPS, STYLES
from .people import ANCESTRIES, OPPOSITES

MEASURES = (
    "head width", "face roundness", "jaw width", "jaw squareness", "cheek width", "chin width", "chin prominence", "nose width",
    "nose length", "nose projection", "nose tip up", "mouth width", "lip fullness", "eye opening", "eye width", "eye spacing",
    "brow height", "ear size", "ear protrusion", "neck width",
)  # fmt: skip
NAMES = tuple(EXPRESSIONS)

# Parameters a sentence can speak of: topic -> how many numbers of the parameter vector it owns, in this order.
LAYOUT = {"gender": 1, "age": 1, "ancestry": len(ANCESTRIES)}
LAYOUT |= dict.fromkeys(MEASURES, 1) | {pair[0]: 1 for pair in OPPOSITES}
LAYOUT |= {"tone": 1, "eyes": len(EYE_COLOURS), "hair": len(HAIR_COLOURS), "scalp": len(SCALPS), "beard": len(BEARDS)}
LAYOUT |= {"lips": len(LIPS), "make-up": len(MAKE_UPS), "style": len(STYLES)}
LAYOUT |= {"brow density": 1, "redness": 1, "freckles": 1, "wrinkles": 1, "expression": len(NAMES)}
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
    indices = (look.eyes, look.hair, look.scalp, look.beard, look.lips, look.make_up, look.style)
    for topic, index in zip(("eyes", "hair", "scalp", "beard", "lips", "make-up", "style"), indices, strict=True):
        row[SLICES[topic].start + index] = 1
    for topic in ("brow density", "redness", "freckles", "wrinkles"):
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


# Measured on the surface: topic or topics whose mean decides, noun, more, less, very much more, very much less.
_MEASURED = (
    (("nose width",), "nose", "wide broad", "narrow thin slim slender", "", "pinched"),
    (("nose length",), "nose", "long", "short", "", ""),
    (("nose width", "nose length", "nose projection"), "nose", "big large", "small little", "huge enormous "
    "giant", "tiny petite"),
    (("nose projection",), "nose", "protruding prominent pointy sharp", "flat flattened", "", ""),
    (("nose tip up",), "nose", "upturned", "drooping droopy", "", ""),
    (("mouth width",), "mouth", "wide big large broad", "small narrow little", "huge", "tiny"),
    (("lip fullness",), "lips", "full thick big plump fleshy", "thin narrow small", "very_full luscious swollen", "very_thin"),
    (("ear size",), "ears", "big large long", "small little", "huge enormous giant", "tiny"),
    (("ear protrusion",), "ears", "protruding jug", "flat", "", ""),
    (("jaw width",), "jaw", "wide broad strong big", "narrow slim small delicate", "massive", ""),
    (("jaw squareness",), "jaw", "square angular chiseled chiselled squared", "tapered pointed soft", "", ""),
    (("chin width",), "chin", "broad wide", "pointed narrow pointy sharp", "", ""),
    (("chin prominence",), "chin", "prominent jutting strong protruding big", "receding weak small retreating", "", ""),
    (("face roundness",), "face", "round wide broad full circular", "long narrow oval elongated", "moon", ""),
    (("eye opening", "eye width"), "eyes", "big large wide round", "small narrow little", "huge enormous giant", "tiny beady"),
    (("eye opening",), "eyes", "wide_open", "narrow slanted", "", "slit"),
    (("eye spacing",), "eyes", "wide_set widely_spaced", "close_set closely_spaced", "", ""),
    (("brow height",), "eyebrows brows", "high", "low", "", ""),
    (("head width",), "head", "wide big large broad", "narrow small slim", "", ""),
    (("cheek width",), "cheeks", "wide broad", "narrow", "", ""),
    (("neck width",), "neck", "thick wide strong", "thin slender slim narrow", "massive bull", ""),
)  # fmt: skip

# Carried by a word of the person: its adjectives before a noun, then noun phrases of its own.
_LOCAL = {
    "hooked nose": ("hooked aquiline roman beaked crooked curved hawk eagle", "nose", "a nose with a bump|a beak"),
    "snub nose": ("snub button upturned turned_up pug concave", "nose", ""),
    "big nose": ("big large bulbous", "nose", ""),
    "small nose": ("small little", "nose", ""),
    "wide nose": ("wide broad flared", "nose", "wide nostrils|flared nostrils|big nostrils"),
    "narrow nose": ("narrow thin", "nose", "narrow nostrils|small nostrils"),
    "pointed ears": (
        "pointed pointy elf elven elfish vulcan goblin sharp",
        "ears",
        "ears like an elf|elf ears|pointed ear tips",
    ),
    "protruding ears": ("protruding jug", "ears", "ears that stick out|ears sticking out|jug ears"),
    "flat ears": ("flat", "ears", "ears close to the head|ears pinned back"),
    "high cheekbones": ("high prominent strong defined pronounced", "cheekbones", "defined cheek bones|high cheek bones"),
    "chubby cheeks": ("chubby full round plump fat big", "cheeks", "a baby face"),
    "hollow cheeks": ("hollow sunken gaunt", "cheeks", "sunken cheeks"),
    "eye bags": ("tired puffy", "eyes", "bags under the eyes|eye bags|bags under {his} eyes|swollen eyes|heavy eye bags"),
    "high forehead": ("high tall big large", "forehead", "a receding hairline"),
    "low forehead": ("low short small", "forehead", ""),
    "thick neck": ("thick", "neck", ""),
    "thin neck": ("thin", "neck", "a swan neck"),
    "square jaw": ("square", "jaw face", "a square face|a boxy face"),
    "narrow jaw": ("narrow", "jaw", "a heart shaped face|a v shaped face|a triangular face"),
    "prominent chin": ("prominent jutting", "chin", "a chin that sticks out|an underbite"),
    "receding chin": ("receding weak", "chin", "no chin|an overbite"),
    "round face": ("round", "face head", "a face like a ball"),
    "long face": ("long", "face", "a horse face|a rectangular face"),
    "low brows": ("low", "brows eyebrows", "a heavy brow"),
    "high brows": ("high arched", "brows eyebrows", ""),
    "pointed chin": ("pointed pointy", "chin", ""),
    "broad chin": ("broad wide", "chin", ""),
    "full lips": ("full thick", "lips", "big lips"),
    "thin lips": ("thin", "lips", "hardly any lips"),
    "wide mouth": ("wide big", "mouth", ""),
    "small mouth": ("small", "mouth", ""),
    "large eyes": ("large big", "eyes", "doe eyes"),
    "small eyes": ("small", "eyes", ""),
    "big ears": ("big large", "ears", ""),
    "small ears": ("small", "ears", ""),
    "long nose": ("long", "nose", ""),
    "short nose": ("short", "nose", ""),
}
# The measure that must agree before a person's own word is said, with the sign it should have.
_AGREES = {
    "wide nose": ("nose width", 1), "narrow nose": ("nose width", -1), "long nose": ("nose length", 1),
    "short nose": ("nose length", -1), "big nose": ("nose projection", 1), "small nose": ("nose projection", -1),
    "hooked nose": ("nose tip up", -1), "snub nose": ("nose tip up", 1), "full lips": ("lip fullness", 1),
    "thin lips": ("lip fullness", -1), "wide mouth": ("mouth width", 1), "small mouth": ("mouth width", -1),
    "big ears": ("ear size", 1), "small ears": ("ear size", -1), "protruding ears": ("ear protrusion", 1),
    "flat ears": ("ear protrusion", -1), "square jaw": ("jaw squareness", 1), "narrow jaw": ("jaw squareness", -1),
    "pointed chin": ("chin width", -1), "broad chin": ("chin width", 1), "prominent chin": ("chin prominence", 1),
    "receding chin": ("chin prominence", -1), "round face": ("face roundness", 1), "long face": ("face roundness", -1),
    "large eyes": ("eye width", 1), "small eyes": ("eye width", -1), "low brows": ("brow height", -1),
    "high brows": ("brow height", 1), "thick neck": ("neck width", 1), "thin neck": ("neck width", -1),
}  # fmt: skip
_BUILD = {
    "heavy": "fat heavy overweight chubby plump obese stout heavyset chunky big corpulent tubby stocky",
    "thin": "thin skinny slim slender lean gaunt bony scrawny skeletal slight underweight",
}
_BUILD_NP = {
    "heavy": ("a double chin", "a fat face", "a heavy build", "a fleshy face", "a chubby face"),
    "thin": ("a thin face", "a bony face", "a gaunt face", "a slim build"),
}

_TONES = (
    "very_pale pale ghostly_pale extremely_pale ivory porcelain",
    "fair light pale white light_coloured",
    "light_brown tan tanned beige bronzed",
    "olive tanned olive_toned medium",
    "brown dark medium_brown",
    "dark_brown dark black very_dark ebony deep_brown",
)
_EYES = (
    "blue light_blue bright_blue",
    "green emerald",
    "grey gray",
    "hazel amber",
    "brown light_brown",
    "dark_brown dark black brown",
)
_HAIR = (
    "black jet_black dark raven",
    "dark_brown brunette dark chestnut brown",
    "brown light_brown chestnut brunette",
    "red ginger auburn orange copper",
    "blond blonde golden fair yellow light_blond",
    "grey gray silver greying graying salt_and_pepper",
    "white snow_white",
)
_HAIR_NOUNS = {
    "red": "redhead|redheaded {n}|ginger {n}|ginger",
    "blond": "blonde|blond {n}|blonde {n}",
    "dark brown": "brunette|brunette {n}",
    "grey": "grey haired {n}",
}
_SCALPS = (
    ("bald hairless bald_headed", "a bald head|no hair|a completely bald head|a hairless head|a bald skull|no hair "
    "on {his} head"),
    ("shaved shaven_headed", "a shaved head|a buzz cut|a crew cut|very short hair|cropped hair|shaved hair|a stubbly "
    "head|a shaven head"),
    ("short_haired", "short hair|hair|short cut hair|a short haircut|a full head of hair"),
)  # fmt: skip
_BEARDS = (
    ("clean_shaven beardless", "no beard|no facial hair|no moustache|a smooth chin"),
    (
        "unshaven stubbly",
        "stubble|a stubble|a stubbly chin|a three day beard|five o clock shadow|a light stubble|designer stubble",
    ),
    ("moustached", "a moustache|a mustache|a thick moustache|moustache but no beard"),
    ("goateed", "a goatee|a chin beard|a goatee beard|a small beard on the chin"),
    ("bearded", "a beard|a full beard|a bushy beard|a thick beard|a big beard|a long beard|facial hair|whiskers"),
)
_BEARD_ABSENT = ("beard", "facial hair", "moustache", "stubble", "whiskers")
_LIPS = (
    "no lipstick|natural lips|bare lips",
    "pale lips|light lips|bloodless lips|faded lips",
    "pink lipstick|pink lips|rosy lips|pink lip gloss|glossy lips|lipstick",
    "red lipstick|red lips|bright red lips|scarlet lips|crimson lips|lipstick|ruby lips",
    "dark lipstick|dark lips|black lipstick|purple lipstick|black lips|dark purple lips",
)
_MAKE_UPS = (
    ("", "no make up|no makeup|a natural look|a bare face|no cosmetics"),
    ("made_up", "eye shadow|eyeshadow|make up|makeup|heavy make up|party make up|coloured eyelids|eye make up|"
    "eyeliner|mascara"),
    ("", "clown make up|clown makeup|clown face paint|a clown face|a painted clown face|face paint|a red clown nose"),
    ("goth gothic emo", "gothic make up|goth makeup|black make up|black eye make up|dark eye shadow|black eyeliner|"
    "gothic makeup"),
)  # fmt: skip
_STYLES = (
    "",
    "{a} marble statue of {s}|{a} statue of {s}|{a} marble bust of {s}|{a} stone sculpture of {s}|{s} made of marble|"
    "{s} carved in white marble|{s} as a marble statue|{a} marble {n}|{a} stone bust of {s}|{a} greek statue of {s}|"
    "{a} roman bust of {s}|"
    "{a} marble head of {s}|{s} made of stone|{s} turned to stone|{s}, marble statue|{a} white marble sculpture of {s}",
    "{a} bronze statue of {s}|{a} bronze bust of {s}|{s} cast in bronze|{s} made of bronze|{a} bronze sculpture of "
    "{s}|{a} bronze {n}|"
    "{s} as a bronze statue|{a} brass statue of {s}|{a} copper bust of {s}|{s}, bronze statue|{a} golden statue of "
    "{s}|{s} made of gold",
    "{a} clay sculpture of {s}|{s} made of clay|{a} clay model of {s}|{a} terracotta bust of {s}|{a} clay head of "
    "{s}|{s} in clay|"
    "{a} clay bust of {s}|{s} modelled in clay|{s}, clay sculpture|{a} clay statue of {s}|{s} sculpted in clay",
    "{a} robot|{a} robot looking like {s}|{s} as a robot|{a} robot {n}|{s} made of metal|{a} android|{a} metal {n}|"
    "{a} steel head of {s}|"
    "{a} cyborg|{a} humanoid robot|{s} made of steel|{a} metallic {n}|{a} chrome head of {s}|{s}, robot|{a} iron {n}|"
    "{a} silver metal {n}",
    "{a} zombie|{a} zombie {n}|{s} as a zombie|{a} undead {n}|{s} turned into a zombie|{a} rotting zombie|{a} "
    "rotting corpse of {s}|"
    "{s}, zombie|{a} dead {n} walking|{a} zombie version of {s}|{a} living dead {n}",
    "{a} alien|{a} alien {n}|{s} as an alien|{a} extraterrestrial|{a} green alien|{a} martian|{s} from another "
    "planet|{s}, alien|"
    "{a} alien creature|{s} from outer space|{a} space alien",
    "{a} vampire|{a} vampire {n}|{s} as a vampire|dracula|{a} bloodsucking vampire|{s} turned into a vampire|{s}, "
    "vampire|{a} count dracula",
    "the joker|{a} joker|{s} as the joker|{a} joker {n}|{s} with joker make up|{s} dressed as the joker|{s}, joker|"
    "{s} painted like the joker",
    "{a} orc|{a} orc {n}|{s} as an orc|{a} green orc|{a} ogre|{a} goblin|{a} troll|{s}, orc|{a} orc warrior|{a} "
    "green skinned orc|{a} monster",
)  # fmt: skip

# Expression -> adjectives and participles; then noun phrases after "with".
_EXPRESSIONS = {
    "neutral": (
        "neutral|calm|expressionless|relaxed|serious|emotionless|not smiling|stoic|peaceful|serene|deadpan|bored|not "
        "laughing|thoughtful",
        "a neutral expression|a neutral face|no expression|a closed mouth|the mouth closed|a poker face|a blank expression|"
        "a serious expression|a calm face|a straight face|a resting face|no smile|a relaxed face",
    ),
    "smile": (
        "smiling|happy|cheerful|joyful|pleased|glad|friendly|grinning|content|delighted|beaming|kind|merry|jolly|"
        "smiling happily|satisfied|"
        "in a good mood|with a grin",
        "a smile|a gentle smile|a grin|a happy expression|a friendly smile|a smile on {his} face|a happy face|a warm "
        "smile|a kind smile|"
        "a friendly face|a cheerful expression|a joyful expression|a smiling face|dimples",
    ),
    "laugh": (
        "laughing|laughing out loud|giggling|chuckling|overjoyed|ecstatic|amused|very happy|cackling|cracking up|"
        "happy|joyful|laughing hard|"
        "hysterical|laughing at a joke|thrilled|roaring with laughter|excited",
        "a laugh|a big laugh|a hearty laugh|an open mouthed laugh|a laughing face|a broad grin|laughter|a laughing expression",
    ),
    "sad": (
        "sad|unhappy|crying|weeping|depressed|sorrowful|gloomy|miserable|melancholic|upset|heartbroken|mournful|"
        "grieving|tearful|sobbing|"
        "disappointed|in tears|dejected|lonely|hurt|in pain",
        "a sad expression|a sad face|tears|a sad look|sad eyes|a sorrowful expression|tears in {his} eyes|a crying "
        "face|a melancholy look",
    ),
    "angry": (
        "angry|furious|mad|enraged|irate|annoyed|outraged|fierce|aggressive|hostile|livid|grumpy|menacing|in a rage|"
        "evil|raging|cross|"
        "very angry|irritated|wrathful|threatening|infuriated",
        "an angry expression|an angry face|a furious look|an angry look|rage in {his} eyes|anger|a fierce look|a mad "
        "face|an evil look",
    ),
    "surprised": (
        "surprised|astonished|amazed|shocked|startled|stunned|astounded|in shock|gasping|dumbfounded|taken aback|"
        "awestruck|bewildered",
        "a surprised expression|a surprised face|a look of surprise|a shocked face|a shocked expression|wide eyes "
        "and an open mouth|"
        "an astonished look|a surprised look|surprise|a look of shock",
    ),
    "disgusted": (
        "disgusted|revolted|grossed out|repulsed|nauseated|sickened|appalled|in disgust|smelling something bad|nauseous",
        "a disgusted expression|a disgusted face|a look of disgust|disgust|a wrinkled nose|a revolted look",
    ),
    "afraid": (
        "afraid|scared|frightened|terrified|fearful|horrified|anxious|panicked|nervous|worried|in fear|in panic|"
        "panicking|in terror|"
        "petrified|alarmed|stressed|in horror",
        "a frightened expression|a scared face|a look of fear|fear in {his} eyes|a terrified look|a worried look|a "
        "fearful expression|fear|"
        "a horrified expression",
    ),
    "pout": (
        "pouting|sulking|sulky|petulant|offended|moody",
        "a pout|a pouting mouth|a pouty mouth|a pushed out lower lip|a sulky face|pouting lips",
    ),
    "kiss": (
        "kissing|blowing a kiss|puckering|puckering up|whistling|making a kissing face|giving a kiss|puckering {his} "
        "lips|pursing {his} lips",
        "a kiss|puckered lips|pursed lips|a kissing face|a kissing mouth|a duck face|duck lips|a kissy face|kissing lips",
    ),
    "puffed cheeks": (
        "puffing {his} cheeks|blowing up {his} cheeks|holding {his} breath|puffing|puffing out {his} cheeks|"
        "inflating {his} cheeks",
        "puffed cheeks|puffed out cheeks|puffed up cheeks|inflated cheeks|cheeks full of air|blown up cheeks|ballooned cheeks",
    ),
    "eyes closed": (
        "sleeping|asleep|sleepy|dreaming|meditating|dozing|napping|resting|praying|blinking|drowsy|tired",
        "eyes closed|closed eyes|eyes shut|{his} eyes closed|shut eyes|both eyes closed|closed eyelids|{his} eyes shut",
    ),
    "wink left": (
        "winking|winking with the left eye|winking left|winking {his} left eye",
        "a wink|the left eye closed|a left wink|{his} left eye shut|a wink of the left eye|one eye closed",
    ),
    "wink right": (
        "winking|winking with the right eye|winking right|winking {his} right eye",
        "a wink|the right eye closed|a right wink|{his} right eye shut|a wink of the right eye|one eye closed",
    ),
    "mouth open": (
        "open mouthed|yawning|shouting|screaming|yelling|singing|gaping|at the dentist|opening {his} mouth|speaking|"
        "talking|howling",
        "an open mouth|mouth open|{his} mouth open|a wide open mouth|the mouth wide open|mouth wide open|an opened "
        "mouth|a dropped jaw",
    ),
    "jaw left": (
        "moving {his} jaw to the left|shifting the jaw left",
        "the jaw to the left|jaw left|the jaw shifted left|the jaw pushed to the left|{his} jaw to the left|the chin "
        "moved to the left",
    ),
    "jaw right": (
        "moving {his} jaw to the right|shifting the jaw right",
        "the jaw to the right|jaw right|the jaw shifted right|the jaw pushed to the right|{his} jaw to the right|the "
        "chin moved to the right",
    ),
    "frown": (
        "frowning|displeased|disapproving|scowling|stern|grim|dissatisfied|skeptical|concerned|grouchy|concentrating|"
        "strict|sullen",
        "a frown|a scowl|a stern look|a frowning face|a grim expression|a furrowed brow|a stern expression|a downturned mouth",
    ),
    "raised brows": (
        "raising {his} eyebrows|raising {his} brows|curious|questioning|interested|inquisitive|attentive|lifting "
        "{his} eyebrows",
        "raised eyebrows|raised brows|eyebrows raised|lifted eyebrows|a curious look|eyebrows lifted|brows raised|a "
        "questioning look",
    ),
    "squint": (
        "squinting|narrowing {his} eyes|suspicious|squinting into the sun|peering|looking into the sun|distrustful",
        "narrowed eyes|squinting eyes|squinted eyes|a squint|a suspicious look|eyes squinted|half closed eyes",
    ),
    "sneer": (
        "sneering|contemptuous|scornful|mocking|snarling|disdainful|in contempt|growling",
        "a sneer|a snarl|a curled lip|a contemptuous look|a look of contempt|a raised lip|contempt",
    ),
    "lips pressed": (
        "pressing {his} lips together|tight lipped|determined|tense|pressing {his} lips|biting {his} lips|resolute",
        "pressed lips|lips pressed together|tight lips|compressed lips|lips pressed|tightly closed lips|sealed lips",
    ),
    "smirk": (
        "smirking|smug|sly|cocky|mischievous|arrogant|half smiling|sarcastic|confident|cheeky|ironic",
        "a smirk|a crooked smile|a lopsided smile|a half smile|a smug expression|a sly smile|a one sided smile|a smug look",
    ),
}
_LITTLE = ("slightly", "a little", "a bit", "faintly", "somewhat", "mildly", "subtly", "gently")
_MUCH = ("very", "extremely", "really", "so", "incredibly", "wildly", "super", "totally")
_LITTLE_NP = ("slight", "faint", "subtle", "little", "hint of a", "small")
_MUCH_NP = ("big", "huge", "wide", "broad", "strong", "great", "very big", "exaggerated")

_TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DECADES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")

_ORIGINS = {
    "caucasian": "caucasian white european western caucasian white european british german french italian irish "
    "russian swedish "
    "scandinavian nordic polish dutch american english greek spanish slavic",
    "asian": "asian asian east_asian chinese japanese korean vietnamese thai mongolian oriental eastern",
    "african": "african black african_american african black nigerian kenyan ghanaian afro_american congolese "
    "ethiopian jamaican",
}
_PREFIXES = (
    "a face of {s}", "the face of {s}", "a portrait of {s}", "portrait of {s}", "a photo of "
    "{s}", "{s}", "{s}", "{s}", "{s}", "{s}",
    "{s}", "a 3d head of {s}", "head of {s}", "a head of {s}", "the head of {s}", "3d model of {s}", "a picture of {s}",
    "a close up of {s}", "a 3d portrait of {s}", "image of {s}", "a realistic head of {s}", "face of {s}", "headshot of {s}",
    "a photograph of {s}", "a detailed 3d scan of {s}", "a bust of {s}", "a render of {s}", "character head of {s}",
    "a high quality 3d model of {s}", "a realistic portrait of {s}", "avatar of {s}", "a drawing of {s}", "game "
    "character , {s}",
)  # fmt: skip


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


# Nouns that say more than a sex: words, who they fit, what they speak of.
_ROLES = (
    ("grandfather grandpa granddad grandad", lambda h: h.man and h.age > 58, "gender age"),
    ("grandmother grandma granny nana", lambda h: not h.man and h.age > 58, "gender age"),
    ("father dad husband uncle businessman", lambda h: h.man and 28 < h.age < 62, "gender age"),
    ("mother mom mum wife aunt businesswoman housewife", lambda h: not h.man and 28 < h.age < 62, "gender age"),
    ("pensioner senior retiree old_timer senior_citizen elder", lambda h: h.age > 63, "age"),
    ("hag crone old_witch", lambda h: not h.man and h.age > 65 and h.z["nose length"] > 0, "gender age"),
    ("wizard sorcerer magician", lambda h: h.man and h.age > 60 and h.look.beard == 4, "gender age beard"),
    ("santa santa_claus", lambda h: h.man and h.age > 55 and h.look.beard == 4 and h.look.hair > 4, "gender age beard"),
    ("witch", lambda h: not h.man and h.age > 55 and h.z["nose length"] > 0.3, "gender age nose_length"),
    ("dwarf", lambda h: h.man and h.look.beard == 4 and h.z["nose width"] > 0, "gender beard"),
    ("elf", lambda h: h.person.local.get("pointed ears", 0) > 0.3, "pointed_ears"),
    ("viking", lambda h: h.man and h.look.beard == 4 and h.person.ancestry["caucasian"] > 0.5, "gender beard ancestry"),
    ("pirate lumberjack caveman", lambda h: h.man and h.look.beard in (1, 4) and h.age > 24, "gender beard"),
    ("hipster", lambda h: h.man and h.look.beard in (2, 4) and h.age < 42, "gender beard age"),
    ("monk skinhead", lambda h: h.man and h.look.scalp < 2 and h.age > 18, "gender scalp"),
    ("soldier warrior knight hero superhero", lambda h: h.man and 19 < h.age < 48 and h.z["jaw "
    "width"] > 0.2, "gender age jaw_width"),
    ("boxer wrestler bodybuilder", lambda h: h.man and 19 < h.age < 50 and h.z["nose width"] > 0.4, "gender age nose_width"),
    ("king emperor", lambda h: h.man and h.age > 40 and h.look.beard == 4, "gender age beard"),
    ("queen empress", lambda h: not h.man and h.age > 30, "gender age"),
    ("princess maiden", lambda h: not h.man and h.age < 28, "gender age"),
    ("prince", lambda h: h.man and h.age < 30, "gender age"),
    ("professor scientist philosopher", lambda h: h.man and h.age > 55 and h.look.hair > 4, "gender age hair"),
    ("samurai", lambda h: h.man and h.age > 20 and h.person.ancestry["asian"] > 0.6, "gender ancestry"),
    ("geisha", lambda h: not h.man and h.person.ancestry["asian"] > 0.6 and h.age < 45, "gender ancestry age"),
    ("fashion_model supermodel actress", lambda h: not h.man and 17 < h.age < 34, "gender age"),
    ("actor", lambda h: h.man and 20 < h.age < 50, "gender age"),
    ("student youngster", lambda h: 15 < h.age < 26, "age"),
)  # fmt: skip
_LOOKS = (  # judgements that lean on things we know
    ("beautiful pretty gorgeous attractive lovely elegant", lambda h: not h.man and 17 < h.age < 38 and h.look.wrinkles < 0.3),
    ("handsome attractive good_looking", lambda h: h.man and 17 < h.age < 48 and h.z["jaw width"] > -0.2),
    ("cute sweet innocent", lambda h: h.age < 26),
    ("ugly", lambda h: sum(h.z[m] for m in ("nose width", "nose length", "ear size")) > 2),
    ("wise", lambda h: h.age > 58),
    ("muscular strong athletic tough", lambda h: h.man and 18 < h.age < 55 and h.z["neck width"] > 0.3),
    ("delicate", lambda h: not h.man and h.z["jaw width"] < 0),
    ("rugged", lambda h: h.man and h.age > 25 and h.look.beard in (1, 4)),
)


def describe(person, attributes, look, expression, rng):
    """A sentence about a head, and what it speaks of.

    person: people.Person, attributes: measure name -> z-score, look: look.Look, expression: a name of EXPRESSIONS or names ->
    weights, rng: numpy Generator -> (str, frozenset of topics of LAYOUT). The sentence is lower case; it may be empty.
    """
    head = _Head(person, attributes, look, person.gender > 0.5)
    faces = {expression: 1.0} if isinstance(expression, str) else {n: w for n, w in expression.items() if w}
    plain = look.style == 0 and set(faces) <= {"neutral"}
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
        if self.his != "the":
            self.mentioned.add("gender")

    def pick(self, options):
        return options[int(self.rng.random() * len(options))]

    def word(self, options):
        """One word of a spaced list; underscores join words that belong together."""
        return self.pick(options.split()).replace("_", " ")

    def chance(self, p):
        return self.rng.random() < p

    def build(self):
        self.noun = self.say_noun()
        self.say_age()
        self.say_origin()
        tellers = [self.say_build, self.say_skin, self.say_hair, self.say_beard, self.say_eyes, self.say_make_up, self.say_fine]
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
            fitting = [words for words, fits in _LOOKS if fits(self.head)]
            if fitting:
                self.adjectives.append(self.word(self.pick(fitting)))
        self.say_expression()
        return self.assemble().replace("{his}", self.his), frozenset(self.mentioned)

    def say_noun(self):
        head = self.head
        if self.chance(0.12):
            fitting = [role for role in _ROLES if role[1](head)]
            if fitting:
                words, _, topics = self.pick(fitting)
                self.mentioned.update(topic.replace("_", " ") for topic in topics.split())
                return self.word(words)
        child = head.age < 13
        if not self.names_gender:
            return self.word(
                "child kid child youngster"
                if child and self.age_said()
                else "person human face head someone individual character"
            )
        self.mentioned.add("gender")
        if child and self.age_said():
            return self.word(
                "boy boy baby_boy little_boy schoolboy son"
                if head.man
                else "girl girl baby_girl little_girl schoolgirl daughter"
            )
        if 13 < head.age < 22 and self.chance(0.2) and self.age_said():
            return self.word("lad boy teenage_boy" if head.man else "girl lass teenage_girl")
        if not head.man and head.age < 32 and self.chance(0.2) and self.age_said():
            return "girl"
        return self.word(
            "man man man man male guy gentleman fellow bloke dude" if head.man else "woman woman woman woman female lady lady"
        )

    def age_said(self):
        self.mentioned.add("age")
        return True

    def say_age(self):
        if not self.chance(0.6 if "age" not in self.mentioned else 0.25):
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
        number = _TENS[tens - 1] if ones == 0 and self.chance(0.4) else str(age)
        if self.chance(0.3) and tens > 1:
            part = "early " if ones < 3 else "late " if ones > 6 else "mid "
            self.endings.append(f"in {self.his} {part if self.chance(0.4) else ''}{_DECADES[tens - 1]}")
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
            word = self.word(_ORIGINS[first])
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
        for word, adjectives in _BUILD.items():
            if local.get(word, 0) > 0.3:
                self.mentioned.add("heavy")
                if self.chance(0.75):
                    self.adjectives.insert(0, self.degree((local[word] - 0.3) * 2.2) + self.word(adjectives))
                else:
                    self.phrases.append(self.pick(_BUILD_NP[word]))

    def degree(self, strength):
        """Now and then how much. strength: 0 when hardly worth saying, above 1.1 when extreme."""
        if strength > 1.1 and self.chance(0.3):
            return self.pick(_MUCH) + " "
        if strength < 0.5 and self.chance(0.25):
            return self.pick(("slightly", "somewhat", "rather", "quite", "fairly", "a bit")) + " "
        return ""

    def measured_things(self):
        for topics, noun, more, less, much_more, much_less in _MEASURED:
            z = sum(self.head.z[topic] for topic in topics) / len(topics) ** 0.5 if len(topics) > 1 else self.head.z[topics[0]]
            if abs(z) > 0.6:
                words = more if z > 0 else less
                if abs(z) > 1.6 and self.chance(0.4):
                    words = (much_more if z > 0 else much_less) or words
                yield lambda t=topics, n=noun, w=words, s=abs(z) - 0.6: self.add_feature(t, n, w, s)
            elif abs(z) < 0.2 and self.chance(0.04):
                yield lambda t=topics, n=noun: self.add_feature(t, n, "normal average ordinary", 0.7)

    def local_things(self):
        for word, weight in self.head.person.local.items():
            measure, sign = _AGREES.get(word, (None, 1))
            if word in _LOCAL and weight > 0.3 and (measure is None or sign * self.head.z[measure] > 0.4):
                adjectives, nouns, phrases = _LOCAL[word]
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
        word = self.word(_TONES[int(np.clip(round(look.tone), 0, 5))])
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
        look = self.head.look
        told = look.scalp == 0 or self.chance(0.35)
        if told:
            adjectives, phrases = _SCALPS[look.scalp]
            self.mentioned.add("scalp")
            if look.scalp == 0 and self.chance(0.12):
                self.endings.append(self.pick(("without hair", "without any hair", "who has lost all hair")))
                return
            if self.chance(0.45):
                self.adjectives.insert(0, self.word(adjectives))
            else:
                self.phrases.append(self.pick(phrases.split("|")))
        if look.scalp and (not told or self.chance(0.6)) and look.style < 5:
            self.mentioned.add("hair")
            name, word = HAIR_COLOURS[look.hair], self.word(_HAIR[look.hair])
            if name in _HAIR_NOUNS and self.noun in ("man", "woman", "girl", "lady", "guy", "person") and self.chance(0.15):
                self.noun = self.pick(_HAIR_NOUNS[name].split("|")).replace("{n}", self.noun)
            elif self.chance(0.2):
                self.adjectives.append(f"{word} haired")
            else:
                self.phrases.append(f"{self.pick(('short ', '')) if look.scalp == 2 else ''}{word} hair")
                if look.scalp == 2 and self.phrases[-1].startswith("short "):
                    self.mentioned.add("scalp")

    def say_beard(self):
        look = self.head.look
        adult_man = self.head.man and self.head.age >= 18
        if look.beard == 0 and not self.chance(0.5 if adult_man else 0.08):
            return
        self.mentioned.add("beard")
        if look.beard == 0 and self.chance(0.45):
            self.endings.append(
                f"without {self.pick(('', 'a ', 'any '))}{self.pick(_BEARD_ABSENT)}".replace("a facial", "facial")
            )
            return
        adjectives, phrases = _BEARDS[look.beard]
        if self.chance(0.25) and look.beard not in (2, 3):
            self.adjectives.append(self.word(adjectives))
            return
        phrase = self.pick(phrases.split("|"))
        if look.beard and self.chance(0.25) and look.style < 5:
            self.mentioned.add("hair")
            noun = phrase.removeprefix("a ")
            phrase = f"a {self.word(_HAIR[look.hair])} {noun}"
        self.phrases.append(phrase)

    def say_eyes(self):
        if self.head.look.style in (1, 2, 3):
            return
        word = self.word(_EYES[self.head.look.eyes])
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
            adjectives, phrases = _MAKE_UPS[look.make_up]
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
            self.phrases.append(self.pick(_LIPS[look.lips].split("|")))

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
            states, phrases = _EXPRESSIONS[name]
            if self.chance(0.62):
                state = self.pick(states.split("|"))
                if weight > 1.08 and name != "neutral":
                    state = f"{self.pick(_MUCH)} {state}"
                elif weight < 0.75:
                    state = f"{self.pick(_LITTLE)} {state}"
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
                    phrase = f"a {self.pick(_MUCH_NP)} {phrase.split(' ', 1)[1]}"
                elif phrase.startswith(("a ", "an ")) and weight < 0.75:
                    phrase = f"a {self.pick(_LITTLE_NP)} {phrase.split(' ', 1)[1]}"
                elif weight < 0.75:
                    phrase = f"{self.pick(_LITTLE)} {phrase}"
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
        text = self.pick(_PREFIXES).replace("{s}", subject) if self.head.look.style not in (1, 2, 3) else subject
        return self.drop_articles(text, 0.15)

    def style_template(self):
        style = self.head.look.style
        return self.pick(_STYLES[style].split("|")) if style else "{s}"

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
