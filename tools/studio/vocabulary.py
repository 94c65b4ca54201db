"""The vocabulary of `captions`: what things are called, and for whom.

Within a text, options are separated by spaces (underscores join words that belong together) or, where they are phrases, by
bars. {his} stands for a possessive, {s} for the subject, {n} for its noun, {a} for an article.
"""

# Measured on the surface: topic or topics whose mean decides, noun, more, less, very much more, very much less.
MEASURED = (
    (("nose width",), "nose", "wide broad", "narrow thin slim slender", "", "pinched"),
    (("nose length",), "nose", "long", "short", "", ""),
    (("nose width", "nose length", "nose projection"), "nose", "big large", "small little", "huge enormous giant",
        "tiny petite"),
    (("nose projection",), "nose", "protruding prominent pointy sharp", "flat flattened", "", ""),
    (("nose tip up",), "nose", "upturned", "drooping droopy", "", ""),
    (("mouth width",), "mouth", "wide big large broad", "small narrow little", "huge", "tiny"),
    (("lip fullness",), "lips", "full thick big plump fleshy", "thin narrow small", "very_full luscious swollen",
        "very_thin"),
    (("ear size",), "ears", "big large long", "small little", "huge enormous giant", "tiny"),
    (("ear protrusion",), "ears", "protruding jug", "flat", "", ""),
    (("jaw width",), "jaw", "wide broad strong big", "narrow slim small delicate", "massive", ""),
    (("jaw squareness",), "jaw", "square angular chiseled chiselled squared", "tapered pointed soft", "", ""),
    (("chin width",), "chin", "broad wide", "pointed narrow pointy sharp", "", ""),
    (("chin prominence",), "chin", "prominent jutting strong protruding big", "receding weak small retreating", "", ""),
    (("face roundness",), "face", "round wide broad full circular", "long narrow oval elongated", "moon", ""),
    (("eye opening", "eye width"), "eyes", "big large wide round", "small narrow little", "huge enormous giant",
        "tiny beady"),
    (("eye opening",), "eyes", "wide_open", "narrow slanted", "", "slit"),
    (("eye spacing",), "eyes", "wide_set widely_spaced", "close_set closely_spaced", "", ""),
    (("brow height",), "eyebrows brows", "high", "low", "", ""),
    (("head width",), "head", "wide big large broad", "narrow small slim", "", ""),
    (("cheek width",), "cheeks", "wide broad", "narrow", "", ""),
    (("neck width",), "neck", "thick wide strong", "thin slender slim narrow", "massive bull", ""),
)  # fmt: skip

# Carried by a word of the person: its adjectives before a noun, then noun phrases of its own.
LOCAL = {
    "hooked nose": ("hooked aquiline roman beaked crooked curved hawk eagle", "nose", "a nose with a bump|a beak"),
    "snub nose": ("snub button upturned turned_up pug concave", "nose", ""),
    "big nose": ("big large bulbous", "nose", ""),
    "small nose": ("small little", "nose", ""),
    "wide nose": ("wide broad flared", "nose", "wide nostrils|flared nostrils|big nostrils"),
    "narrow nose": ("narrow thin", "nose", "narrow nostrils|small nostrils"),
    "pointed ears": ("pointed pointy elf elven elfish vulcan goblin sharp", "ears",
        "ears like an elf|elf ears|pointed ear tips"),
    "protruding ears": ("protruding jug", "ears", "ears that stick out|ears sticking out|jug ears"),
    "flat ears": ("flat", "ears", "ears close to the head|ears pinned back"),
    "high cheekbones": ("high prominent strong defined pronounced", "cheekbones", "defined cheek bones|high cheek bones"),
    "chubby cheeks": ("chubby full round plump fat big", "cheeks", "a baby face"),
    "hollow cheeks": ("hollow sunken gaunt", "cheeks", "sunken cheeks"),
    "eye bags": ("tired puffy", "eyes", "bags under the eyes|eye bags|bags under {his} eyes|swollen eyes|heavy eye bags"),
    "high forehead": ("high tall big large", "forehead", "a tall brow"),
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
}  # fmt: skip
# The measure that must agree before a person's own word is said, with the sign it should have.
AGREES = {
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
BUILD = {
    "heavy": "fat heavy overweight chubby plump obese stout heavyset chunky big corpulent tubby stocky",
    "thin": "thin skinny slim slender lean gaunt bony scrawny skeletal slight underweight",
}  # fmt: skip
BUILD_NP = {
    "heavy": ("a double chin", "a fat face", "a heavy build", "a fleshy face", "a chubby face"),
    "thin": ("a thin face", "a bony face", "a gaunt face", "a slim build"),
}  # fmt: skip

TONES = (
    "very_pale pale ghostly_pale extremely_pale ivory porcelain", "fair light pale white light_coloured",
    "light_brown tan tanned beige bronzed", "olive tanned olive_toned medium", "brown dark medium_brown",
    "dark_brown dark black very_dark ebony deep_brown",
)  # fmt: skip
EYES = (
    "blue light_blue bright_blue", "green emerald", "grey gray", "hazel amber", "brown light_brown",
    "dark_brown dark black brown",
)  # fmt: skip
HAIR = (
    "black jet_black dark raven", "dark_brown brunette dark chestnut brown", "brown light_brown chestnut brunette",
    "red ginger auburn orange copper", "blond blonde golden fair yellow light_blond",
    "grey gray silver greying graying salt_and_pepper", "white snow_white",
)  # fmt: skip
HAIR_NOUNS = {
    "red": "redhead|redheaded {n}|ginger {n}|ginger", "blond": "blonde|blond {n}|blonde {n}",
    "dark brown": "brunette|brunette {n}", "grey": "grey haired {n}",
}  # fmt: skip
# Hair style: words before "hair" (nothing where it cannot be said so), adjectives of the person, phrases. {c} is its colour.
HAIRDOS = {
    "bald": ("", "bald hairless bald_headed",
        "a bald head|no hair|a completely bald head|a hairless head|a bald skull|no hair on {his} head"),
    "buzz cut": ("very_short cropped shaved buzzed close_cropped", "shaved shaven_headed crew_cut",
        "a shaved head|a buzz cut|a {c} buzz cut|a crew cut|a stubbly head|a shaven head|a buzzcut|a military haircut|"
        "a number one cut"),
    "receding": ("thinning receding sparse", "balding half_bald thinning_haired",
        "a bald patch|a bald crown|a receding hairline|a ring of {c} hair|male pattern baldness|hair only on the sides|"
        "a balding head|little {c} hair left|a bald top"),
    "short": ("short short short_straight neat cut_short cropped", "short_haired",
        "a short haircut|short cut {c} hair|a short {c} haircut|a plain haircut|{c} hair cut short"),
    "side part": ("side_parted neatly_parted short_parted", "short_haired",
        "a side part|a side parting|{c} hair with a side part|{c} hair parted on the side|a neat side parting|"
        "a gentleman haircut|a comb over"),
    "slicked back": ("slicked_back combed_back slick gelled swept_back", "short_haired",
        "{c} hair combed back|{c} hair slicked back|gelled back hair|swept back {c} hair|oiled hair"),
    "quiff": ("spiky upswept", "short_haired",
        "a quiff|a {c} quiff|a pompadour|a {c} pompadour|a rockabilly quiff|an elvis hairdo|{c} hair brushed up"),
    "sideburns": ("short_flat", "short_haired",
        "sideburns|long sideburns|{c} sideburns|mutton chops|big sideburns|side whiskers|bushy {c} sideburns"),
    "tousled": ("tousled messy short_messy ruffled windswept textured short_wavy", "short_haired messy_haired tousle_haired",
        "{c} bed hair|messy {c} hair|a messy haircut|wild {c} hair|a textured crop|a short wavy haircut"),
    "shaggy": ("shaggy floppy mop_like medium_length unkempt", "shaggy shaggy_haired mop_haired",
        "shaggy {c} hair|a shaggy haircut|a mop of {c} hair|a bowl cut|a mop top|a beatles haircut|a {c} fringe|"
        "{c} bangs|hair over the forehead"),
    "curly": ("curly curly curled frizzy short_curly", "curly_haired curly curly_headed",
        "{c} curls|curls|a head of {c} curls|tight {c} curls|a perm|frizzy {c} hair|short {c} curls"),
    "afro": ("afro big_curly", "afro_haired",
        "an afro|a {c} afro|a big afro|a huge {c} afro|an afro hairstyle|{c} afro hair|natural afro hair|a round afro"),
    "mohawk": ("mohawk punk", "",
        "a mohawk|a {c} mohawk|a mohawk haircut|a mohican|a punk hairstyle|an iroquois haircut|a crest of {c} hair|"
        "a {c} mohican"),
    "bob": ("bobbed chin_length", "",
        "a bob|a {c} bob|a bob cut|a {c} bob cut|a bob haircut|chin length {c} hair|a pageboy haircut|{c} hair cut in a bob"),
    "long straight": ("long long long_straight straight straight_long sleek_long", "long_haired straight_haired",
        "long {c} hair|straight {c} hair|long straight {c} hair|hair down to the shoulders|long flowing {c} hair"),
    "long wavy": ("long_wavy wavy wavy_long long_curly flowing", "long_haired wavy_haired",
        "{c} waves|wavy {c} hair|long {c} locks|long {c} curls|beach waves|long wavy {c} hair|a {c} mane"),
    "very long": ("very_long extremely_long waist_length long", "long_haired very_long_haired",
        "very long {c} hair|{c} hair down the back|waist length {c} hair|{c} hair down to the waist|a long {c} mane"),
    "ponytail": ("tied_back", "ponytailed",
        "a ponytail|a {c} ponytail|a pony tail|a long {c} ponytail|{c} hair in a ponytail|{c} hair tied back|a low ponytail"),
    "high ponytail": ("", "ponytailed",
        "a high ponytail|a {c} ponytail|a ponytail|a high {c} ponytail|{c} hair in a high ponytail|a high pony tail"),
    "pigtails": ("", "pigtailed",
        "pigtails|{c} pigtails|two pigtails|two ponytails|{c} bunches|{c} hair in pigtails|twin tails|two {c} pigtails"),
    "braid": ("braided plaited", "",
        "a braid|a {c} braid|a plait|{c} hair in a braid|braided {c} hair|a long {c} braid|plaited {c} hair"),
    "bun": ("pinned_up tied_up", "",
        "a bun|a {c} bun|a top knot|a topknot|{c} hair in a bun|a hair bun|an updo|a {c} top bun|{c} hair tied in a knot|"
        "a man bun"),
}  # fmt: skip
LONG_HAIR = {  # for hair that hangs: cut shorter, between, grown longer
    "bob": ("ear_length short_bobbed", "chin_length jaw_length", "neck_length long_bobbed"),
    "long straight": ("neck_length medium_length", "shoulder_length", "long very_long"),
    "long wavy": ("neck_length medium_length", "shoulder_length", "long very_long"),
    "very long": ("long shoulder_length", "very_long long", "extremely_long waist_length"),
}
HAIR_VOLUME = ("flat thin fine lank", "thick voluminous big full")

BEARDS = (
    ("clean_shaven beardless", "no beard|no facial hair|no moustache|a smooth chin"),
    ("unshaven stubbly",
        "stubble|a stubble|a stubbly chin|a three day beard|five o clock shadow|a light stubble|designer stubble"),
    ("moustached", "a moustache|a mustache|a thick moustache|moustache but no beard"),
    ("goateed", "a goatee|a chin beard|a goatee beard|a small beard on the chin"),
    ("bearded", "a beard|a full beard|a bushy beard|a thick beard|a big beard|a long beard|facial hair|whiskers"),
)  # fmt: skip
BEARD_ABSENT = ("beard", "facial hair", "moustache", "stubble", "whiskers")
LIPS = (
    "no lipstick|natural lips|bare lips",
    "pale lips|light lips|bloodless lips|faded lips",
    "pink lipstick|pink lips|rosy lips|pink lip gloss|glossy lips|lipstick",
    "red lipstick|red lips|bright red lips|scarlet lips|crimson lips|lipstick|ruby lips",
    "dark lipstick|dark lips|black lipstick|purple lipstick|black lips|dark purple lips",
)  # fmt: skip
MAKE_UPS = (
    ("", "no make up|no makeup|a natural look|a bare face|no cosmetics"),
    ("made_up",
        "eye shadow|eyeshadow|make up|makeup|heavy make up|party make up|coloured eyelids|eye make up|glamorous make up"),
    ("", "clown make up|clown makeup|clown face paint|a clown face|a painted clown face|face paint|a red clown nose"),
    ("goth gothic emo",
        "gothic make up|goth makeup|black make up|black eye make up|dark eye shadow|white face paint|gothic makeup"),
    ("", "eyeliner|winged eyeliner|cat eyes|mascara|black eyeliner|cat eye make up|lined eyes"),
)  # fmt: skip
STYLES = (
    "",
    "{a} marble statue of {s}|{a} statue of {s}|{a} marble bust of {s}|{a} stone sculpture of {s}|{s} made of marble|"
        "{s} carved in white marble|{s} as a marble statue|{a} marble {n}|{a} stone bust of {s}|{a} greek statue of {s}|"
        "{a} roman bust of {s}|{a} marble head of {s}|{s} made of stone|{s} turned to stone|{s}, marble statue|{a} "
        "white marble sculpture of {s}",
    "{a} bronze statue of {s}|{a} bronze bust of {s}|{s} cast in bronze|{s} made of bronze|{a} bronze sculpture of {s}|"
        "{a} bronze {n}|{s} as a bronze statue|{a} brass statue of {s}|{a} copper bust of {s}|{s}, bronze statue|{a} "
        "golden statue of {s}|{s} made of gold",
    "{a} clay sculpture of {s}|{s} made of clay|{a} clay model of {s}|{a} terracotta bust of {s}|{a} clay head of {s}|"
        "{s} in clay|{a} clay bust of {s}|{s} modelled in clay|{s}, clay sculpture|{a} clay statue of {s}|{s} sculpted "
        "in clay",
    "{a} robot|{a} robot looking like {s}|{s} as a robot|{a} robot {n}|{s} made of metal|{a} android|{a} metal {n}|{a} "
        "steel head of {s}|{a} cyborg|{a} humanoid robot|{s} made of steel|{a} metallic {n}|{a} chrome head of {s}|{s}, "
        "robot|{a} iron {n}|{a} silver metal {n}",
    "{a} zombie|{a} zombie {n}|{s} as a zombie|{a} undead {n}|{s} turned into a zombie|{a} rotting zombie|{a} rotting "
        "corpse of {s}|{s}, zombie|{a} dead {n} walking|{a} zombie version of {s}|{a} living dead {n}",
    "{a} alien|{a} alien {n}|{s} as an alien|{a} extraterrestrial|{a} green alien|{a} martian|{s} from another planet|"
        "{s}, alien|{a} alien creature|{s} from outer space|{a} space alien",
    "{a} vampire|{a} vampire {n}|{s} as a vampire|dracula|{a} bloodsucking vampire|{s} turned into a vampire|{s}, "
        "vampire|{a} count dracula",
    "the joker|{a} joker|{s} as the joker|{a} joker {n}|{s} with joker make up|{s} dressed as the joker|{s}, joker|{s} "
        "painted like the joker",
    "{a} orc|{a} orc {n}|{s} as an orc|{a} green orc|{a} ogre|{a} goblin|{a} troll|{s}, orc|{a} orc warrior|{a} green "
        "skinned orc|{a} monster",
    "{a} ghost|{a} ghost of {s}|{s} as a ghost|the ghost of {s}|{a} phantom|{a} spectre|{a} spirit of {s}|{s}, ghost|{a} "
        "ghostly apparition|{a} pale ghost {n}",
    "{a} werewolf|{a} werewolf {n}|{s} as a werewolf|{s} turned into a werewolf|{a} wolf {n}|{a} wolfman|{s}, werewolf|{a} "
        "furry beast|{a} lycanthrope|{s} covered in fur",
    "{a} wooden statue of {s}|{a} wooden bust of {s}|{s} carved in wood|{s} made of wood|{a} wood carving of {s}|{a} wooden "
        "{n}|{s} as a wooden sculpture|{a} wooden head of {s}|{s}, wood carving|{a} wooden puppet of {s}",
    "{a} porcelain doll|{a} porcelain doll of {s}|{s} as a porcelain doll|{s} made of porcelain|{a} china doll|{a} doll of "
        "{s}|{a} porcelain {n}|{s}, porcelain doll|{a} ceramic doll of {s}",
    "an old photograph of {s}|an old photo of {s}|{a} sepia photograph of {s}|{a} vintage photo of {s}|{s} in an old "
        "photograph|{s}, old photograph|an antique photograph of {s}|{a} daguerreotype of {s}|{a} sepia portrait of {s}",
)  # fmt: skip

# Marks on the skin -> phrases, adjectives.
MARKS = {
    "moles": ("moles|many moles|beauty spots|birthmarks|a mole|dark moles on the face|a beauty mark", "mole_covered"),
    "veins": ("visible veins|blue veins|veins at the temples|bulging veins|thin veiny skin", "veiny"),
    "scars": ("scars|a scar|a scar across the face|a scarred face|battle scars|a scar on the cheek|an old scar", "scarred"),
}
BROW_SHAPES = (
    "", "straight eyebrows|straight brows|flat eyebrows", "arched eyebrows|arched brows|curved brows with an arch",
    "round eyebrows|rounded brows|curved eyebrows", "slanted eyebrows|slanted brows|upswept brows|winged eyebrows",
    "a unibrow|a monobrow|joined eyebrows|eyebrows that meet|brows grown together",
)  # fmt: skip

# Expression -> adjectives and participles; then noun phrases after "with".
EXPRESSIONS = {
    "neutral":
        ("neutral|calm|expressionless|relaxed|serious|emotionless|not smiling|stoic|peaceful|serene|deadpan|bored|not "
        "laughing|thoughtful",
        "a neutral expression|a neutral face|no expression|a closed mouth|the mouth closed|a poker face|a blank "
        "expression|a serious expression|a calm face|a straight face|a resting face|no smile|a relaxed face"),
    "smile":
        ("smiling|happy|cheerful|joyful|pleased|glad|friendly|grinning|content|delighted|beaming|kind|merry|jolly|"
        "smiling happily|satisfied|in a good mood|with a grin",
        "a smile|a gentle smile|a grin|a happy expression|a friendly smile|a smile on {his} face|a happy face|a warm "
        "smile|a kind smile|a friendly face|a cheerful expression|a joyful expression|a smiling face|dimples"),
    "laugh":
        ("laughing|laughing out loud|giggling|chuckling|overjoyed|ecstatic|amused|very happy|cackling|cracking up|happy|"
        "joyful|laughing hard|hysterical|laughing at a joke|thrilled|roaring with laughter|excited",
        "a laugh|a big laugh|a hearty laugh|an open mouthed laugh|a laughing face|a broad grin|laughter|a laughing "
        "expression"),
    "sad":
        ("sad|unhappy|crying|weeping|depressed|sorrowful|gloomy|miserable|melancholic|upset|heartbroken|mournful|"
        "grieving|tearful|sobbing|disappointed|in tears|dejected|lonely|hurt|in pain",
        "a sad expression|a sad face|tears|a sad look|sad eyes|a sorrowful expression|tears in {his} eyes|a crying face|"
        "a melancholy look"),
    "angry":
        ("angry|furious|mad|enraged|irate|annoyed|outraged|fierce|aggressive|hostile|livid|grumpy|menacing|in a rage|"
        "evil|raging|cross|very angry|irritated|wrathful|threatening|infuriated",
        "an angry expression|an angry face|a furious look|an angry look|rage in {his} eyes|anger|a fierce look|a mad "
        "face|an evil look"),
    "surprised":
        ("surprised|astonished|amazed|shocked|startled|stunned|astounded|in shock|gasping|dumbfounded|taken aback|"
        "awestruck|bewildered",
        "a surprised expression|a surprised face|a look of surprise|a shocked face|a shocked expression|wide eyes and "
        "an open mouth|an astonished look|a surprised look|surprise|a look of shock"),
    "disgusted":
        ("disgusted|revolted|grossed out|repulsed|nauseated|sickened|appalled|in disgust|smelling something bad|nauseous",
        "a disgusted expression|a disgusted face|a look of disgust|disgust|a wrinkled nose|a revolted look"),
    "afraid":
        ("afraid|scared|frightened|terrified|fearful|horrified|anxious|panicked|nervous|worried|in fear|in panic|"
        "panicking|in terror|petrified|alarmed|stressed|in horror",
        "a frightened expression|a scared face|a look of fear|fear in {his} eyes|a terrified look|a worried look|a "
        "fearful expression|fear|a horrified expression"),
    "pout": ("pouting|sulking|sulky|petulant|offended|moody",
        "a pout|a pouting mouth|a pouty mouth|a pushed out lower lip|a sulky face|pouting lips"),
    "kiss":
        ("kissing|blowing a kiss|puckering|puckering up|whistling|making a kissing face|giving a kiss|puckering {his} "
        "lips|pursing {his} lips",
        "a kiss|puckered lips|pursed lips|a kissing face|a kissing mouth|a duck face|duck lips|a kissy face|kissing lips"),
    "puffed cheeks":
        ("puffing {his} cheeks|blowing up {his} cheeks|holding {his} breath|puffing|puffing out {his} cheeks|inflating "
        "{his} cheeks",
        "puffed cheeks|puffed out cheeks|puffed up cheeks|inflated cheeks|cheeks full of air|blown up cheeks|ballooned "
        "cheeks"),
    "eyes closed": ("sleeping|asleep|sleepy|dreaming|meditating|dozing|napping|resting|praying|blinking|drowsy|tired",
        "eyes closed|closed eyes|eyes shut|{his} eyes closed|shut eyes|both eyes closed|closed eyelids|{his} eyes shut"),
    "wink left": ("winking|winking with the left eye|winking left|winking {his} left eye",
        "a wink|the left eye closed|a left wink|{his} left eye shut|a wink of the left eye|one eye closed"),
    "wink right": ("winking|winking with the right eye|winking right|winking {his} right eye",
        "a wink|the right eye closed|a right wink|{his} right eye shut|a wink of the right eye|one eye closed"),
    "mouth open":
        ("open mouthed|yawning|shouting|screaming|yelling|singing|gaping|at the dentist|opening {his} mouth|speaking|"
        "talking|howling",
        "an open mouth|mouth open|{his} mouth open|a wide open mouth|the mouth wide open|mouth wide open|an opened "
        "mouth|a dropped jaw"),
    "jaw left": ("moving {his} jaw to the left|shifting the jaw left",
        "the jaw to the left|jaw left|the jaw shifted left|the jaw pushed to the left|{his} jaw to the left|the chin "
        "moved to the left"),
    "jaw right": ("moving {his} jaw to the right|shifting the jaw right",
        "the jaw to the right|jaw right|the jaw shifted right|the jaw pushed to the right|{his} jaw to the right|the "
        "chin moved to the right"),
    "frown":
        ("frowning|displeased|disapproving|scowling|stern|grim|dissatisfied|skeptical|concerned|grouchy|concentrating|"
        "strict|sullen",
        "a frown|a scowl|a stern look|a frowning face|a grim expression|a furrowed brow|a stern expression|a downturned "
        "mouth"),
    "raised brows":
        ("raising {his} eyebrows|raising {his} brows|curious|questioning|interested|inquisitive|attentive|lifting {his} "
        "eyebrows",
        "raised eyebrows|raised brows|eyebrows raised|lifted eyebrows|a curious look|eyebrows lifted|brows raised|a "
        "questioning look"),
    "squint": ("squinting|narrowing {his} eyes|suspicious|squinting into the sun|peering|looking into the sun|distrustful",
        "narrowed eyes|squinting eyes|squinted eyes|a squint|a suspicious look|eyes squinted|half closed eyes"),
    "sneer": ("sneering|contemptuous|scornful|mocking|snarling|disdainful|in contempt|growling",
        "a sneer|a snarl|a curled lip|a contemptuous look|a look of contempt|a raised lip|contempt"),
    "lips pressed":
        ("pressing {his} lips together|tight lipped|determined|tense|pressing {his} lips|biting {his} lips|resolute",
        "pressed lips|lips pressed together|tight lips|compressed lips|lips pressed|tightly closed lips|sealed lips"),
    "smirk": ("smirking|smug|sly|cocky|mischievous|arrogant|half smiling|sarcastic|confident|cheeky|ironic",
        "a smirk|a crooked smile|a lopsided smile|a half smile|a smug expression|a sly smile|a one sided smile|a smug "
        "look"),
}  # fmt: skip
LITTLE = ("slightly", "a little", "a bit", "faintly", "somewhat", "mildly", "subtly", "gently")
MUCH = ("very", "extremely", "really", "so", "incredibly", "wildly", "super", "totally")
LITTLE_NP = ("slight", "faint", "subtle", "little", "hint of a", "small")
MUCH_NP = ("big", "huge", "wide", "broad", "strong", "great", "very big", "exaggerated")

TENS = ("ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
DECADES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties")

ORIGINS = {
    "caucasian":
        "caucasian white european western caucasian white european british german french italian irish russian swedish "
        "scandinavian nordic polish dutch american english greek spanish slavic",
    "asian": "asian asian east_asian chinese japanese korean vietnamese thai mongolian oriental eastern",
    "african":
        "african black african_american african black nigerian kenyan ghanaian afro_american congolese ethiopian jamaican",
}  # fmt: skip
PREFIXES = (
    "a face of {s}", "the face of {s}", "a portrait of {s}", "portrait of {s}", "a photo of {s}", "{s}", "{s}", "{s}",
    "{s}", "{s}", "{s}", "a 3d head of {s}", "head of {s}", "a head of {s}", "the head of {s}", "3d model of {s}",
    "a picture of {s}", "a close up of {s}", "a 3d portrait of {s}", "image of {s}", "a realistic head of {s}",
    "face of {s}", "headshot of {s}", "a photograph of {s}", "a detailed 3d scan of {s}", "a bust of {s}",
    "a render of {s}", "character head of {s}", "a high quality 3d model of {s}", "a realistic portrait of {s}",
    "avatar of {s}", "a drawing of {s}", "game character , {s}",
)  # fmt: skip

# Nouns that say more than a sex: words, who they fit, what they speak of.
ROLES = (
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
    ("monk skinhead", lambda h: h.man and h.look.hair_shape.style in ("bald", "buzz cut") and h.age > 18, "gender scalp"),
    ("punk", lambda h: h.look.hair_shape.style == "mohawk", "scalp"),
    ("soldier warrior knight hero superhero", lambda h: h.man and 19 < h.age < 48 and h.z["jaw width"] > 0.2,
        "gender age jaw_width"),
    ("boxer wrestler bodybuilder", lambda h: h.man and 19 < h.age < 50 and h.z["nose width"] > 0.4,
        "gender age nose_width"),
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
LOOKS = (  # judgements that lean on things we know
    ("beautiful pretty gorgeous attractive lovely elegant", lambda h: not h.man and 17 < h.age < 38 and h.look.wrinkles < 0.3),
    ("handsome attractive good_looking", lambda h: h.man and 17 < h.age < 48 and h.z["jaw width"] > -0.2),
    ("cute sweet innocent", lambda h: h.age < 26),
    ("ugly", lambda h: sum(h.z[m] for m in ("nose width", "nose length", "ear size")) > 2),
    ("wise", lambda h: h.age > 58),
    ("muscular strong athletic tough", lambda h: h.man and 18 < h.age < 55 and h.z["neck width"] > 0.3),
    ("delicate", lambda h: not h.man and h.z["jaw width"] < 0),
    ("rugged", lambda h: h.man and h.age > 25 and h.look.beard in (1, 4)),
)
