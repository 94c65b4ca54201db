"""German for every word of the interface: the text in the program -> the text shown."""

from ..engine.sliders import ENDS

SLIDER = "{low} to {high}. Zero is the head as it was generated; one is a standard deviation of people"
ATTRIBUTES = {  # attribute -> name, low end, high end
    "age": ("Alter", "jung", "alt"),
    "weight": ("Gewicht", "dünn", "schwer"),
    "gender": ("Geschlecht", "weiblich", "männlich"),
    "caucasian": ("Europäisch", "weniger", "mehr"),
    "asian": ("Asiatisch", "weniger", "mehr"),
    "african": ("Afrikanisch", "weniger", "mehr"),
    "face roundness": ("Gesichtsrundung", "länglich", "rund"),
    "head width": ("Kopfbreite", "schmal", "breit"),
    "neck width": ("Halsbreite", "schlank", "dick"),
    "eye opening": ("Augenöffnung", "schmal", "weit offen"),
    "eye width": ("Augenbreite", "klein", "groß"),
    "eye spacing": ("Augenabstand", "eng stehend", "weit stehend"),
    "brow height": ("Brauenhöhe", "niedrig", "hoch"),
    "nose width": ("Nasenbreite", "schmal", "breit"),
    "nose length": ("Nasenlänge", "kurz", "lang"),
    "nose projection": ("Nasenvorsprung", "flach", "vorstehend"),
    "nose tip up": ("Nasenspitze", "hängend", "nach oben"),
    "lip fullness": ("Lippenfülle", "dünn", "voll"),
    "mouth width": ("Mundbreite", "klein", "breit"),
    "cheek width": ("Wangenbreite", "schmal", "breit"),
    "jaw squareness": ("Kieferform", "spitz zulaufend", "kantig"),
    "chin width": ("Kinnbreite", "spitz", "breit"),
    "chin prominence": ("Kinnvorsprung", "fliehend", "vorstehend"),
    "ear size": ("Ohrgröße", "klein", "groß"),
    "ear protrusion": ("Ohrabstand", "anliegend", "abstehend"),
    "pointed ears": ("Spitze Ohren", "rund", "spitz"),
}
GROUPS = {
    "General": "Allgemein",
    "Ancestry": "Herkunft",
    "Face": "Gesicht",
    "Eyes": "Augen",
    "Brows": "Brauen",
    "Nose": "Nase",
    "Lips": "Lippen",
    "Cheeks": "Wangen",
    "Jaw": "Kiefer",
    "Chin": "Kinn",
    "Ears": "Ohren",
}
TEXTS = {
    # operators
    "Make a textured head from a description and place it at the 3D cursor": "Aus einer Beschreibung einen Kopf mit Textur "
    "machen und an den 3D-Cursor setzen",
    "Stop making the head": "Den Kopf nicht weiter berechnen",
    "Place a finished head in the scene": "Einen fertigen Kopf in die Szene setzen",
    "Cut the selected mesh of a head at the back and unwrap it, face large and in the middle, as all heads here are": "Das "
    "ausgewählte Netz eines Kopfes hinten aufschneiden und abwickeln, das Gesicht groß und in der Mitte, wie bei allen Köpfen "
    "hier",
    "Generate Head": "Kopf erzeugen",
    "Cancel": "Abbrechen",
    "Place Head": "Kopf setzen",
    "Unwrap as Head": "Als Kopf abwickeln",
    "Ask": "Fragen",
    "Ask for the description in a dialog first": "Zuerst in einem Dialog nach der Beschreibung fragen",
    "Job Folder": "Auftragsordner",
    "Location": "Ort",
    "Where the head's neck goes": "Wohin der Hals des Kopfes kommt",
    "Upright, Facing -Y": "Aufrecht, Blick nach -Y",
    "The head stands upright in the scene and looks to -Y; otherwise this is found from its neck and shape": "Der Kopf steht "
    "aufrecht in der Szene und blickt nach -Y; sonst wird das aus Hals und Form bestimmt",
    "Head from Text": "Kopf aus Text",
    "A head is being made: wait for it or cancel it": "Ein Kopf wird gerade gemacht: abwarten oder abbrechen",
    "No head is being made": "Es wird kein Kopf gemacht",
    "Paint the selected head, or a mesh unwrapped as one, after the description; its shape and the old material stay": "Den "
    "ausgewählten Kopf, oder ein als Kopf abgewickeltes Netz, nach der Beschreibung neu bemalen; Form und altes Material "
    "bleiben",
    "Put a painted texture on its head; the material that was there stays in the file": "Eine gemalte Textur auf ihren Kopf "
    "legen; das Material von vorher bleibt in der Datei",
    "New Texture": "Neue Textur",
    "The texture in words; empty takes the panel's description": "Die Textur in Worten (auf Englisch); leer nimmt die "
    "Beschreibung im Feld",
    "Avoid": "Vermeiden",
    "What the texture should not show, in words": "Was die Textur nicht zeigen soll, in Worten (auf Englisch)",
    "Another number gives another texture for the same words; without one it is the panel's": "Eine andere Zahl gibt eine "
    "andere Textur zu denselben Worten; ohne eine gilt die im Feld",
    "Side of the texture image; without one it is the panel's": "Seite des Texturbildes; ohne Angabe gilt die im Feld",
    "Look": "Aussehen",
    "Name of what was painted": "Name dessen, was bemalt wurde",
    "What the texture was painted from, as JSON": "Wonach die Textur gemalt wurde, als JSON",
    "Unwrap as Head first": "Zuerst als Kopf abwickeln",
    "Select a head, or a mesh of one": "Einen Kopf auswählen, oder das Netz eines Kopfes",
    "The head has lost its UV map '{name}'": "Der Kopf hat seine UV-Map '{name}' verloren",
    "Select a mesh in Object Mode": "Im Objektmodus ein Netz auswählen",
    "The mesh is linked from another file: make it local first": "Das Netz ist aus einer anderen Datei verknüpft: zuerst "
    "lokal machen",
    # panels
    "Mesh and Texture": "Netz und Textur",
    "Selected Head": "Ausgewählter Kopf",
    "Selected Mesh": "Ausgewähltes Netz",
    "Describe a head": "Einen Kopf beschreiben",
    "From description": "Aus der Beschreibung",
    "Random Head": "Zufälliger Kopf",
    "Vertices": "Punkte",
    "Pack": "Paket",
    "Random head": "Zufälliger Kopf",
    # preferences
    "External Python": "Externes Python",
    "Python 3.11 or newer that has the engine's packages (torch and others); empty uses Blender's own": "Python 3.11 oder "
    "neuer mit den Paketen des Programms (torch und andere); leer nimmt Blenders eigenes",
    "Model Pack": "Modellpaket",
    "Folder of a model pack; empty uses the starter pack": "Ordner eines Modellpakets; leer nimmt das mitgelieferte",
    "Data Folder": "Datenordner",
    "Where the log and the history are kept; empty uses the extension's own user folder": "Wo Protokoll und Verlauf liegen; "
    "leer nimmt den eigenen Benutzerordner der Erweiterung",
    "Heads in History": "Köpfe im Verlauf",
    "Finished heads that are kept; the oldest goes first": "So viele fertige Köpfe werden behalten; der älteste geht zuerst",
    # properties
    "Quads": "Vierecke",
    "The same quads for every head, so that textures and shape keys can be moved between heads": "Dieselben Vierecke für jeden "
    "Kopf, so dass Texturen und Formschlüssel zwischen Köpfen wandern können",
    "Dense Triangles": "Dichte Dreiecke",
    "All triangles of the surface extraction": "Alle Dreiecke der berechneten Oberfläche",
    "Low": "Niedrig",
    "About 3,000 quads": "Etwa 3000 Vierecke",
    "Medium": "Mittel",
    "About 13,000 quads": "Etwa 13000 Vierecke",
    "High": "Hoch",
    "About 51,000 quads": "Etwa 51000 Vierecke",
    "Object": "Objekt",
    "A mesh of its own, parented to the head": "Ein eigenes Netz, dem Kopf untergeordnet",
    "Merged": "Verschmolzen",
    "One closed surface with the skin": "Eine geschlossene Oberfläche mit der Haut",
    "None": "Keine",
    "The skin alone": "Nur die Haut",
    "Automatic": "Automatisch",
    "The fastest device there is": "Das schnellste Gerät, das es gibt",
    "Processor": "Prozessor",
    "The computer's processor: slower, works everywhere": "Der Prozessor des Rechners: langsamer, geht überall",
    "CUDA": "CUDA",
    "An NVIDIA graphics card": "Eine Grafikkarte von NVIDIA",
    "Metal": "Metal",
    "The graphics unit of an Apple computer": "Die Grafikeinheit eines Apple-Rechners",
    "Description": "Beschreibung",
    'The head in words, such as "an old man with a wide nose, laughing"': "Der Kopf in Worten (auf Englisch), etwa "
    '"an old man with a wide nose, laughing"',
    "Expression": "Ausdruck",
    "An expression in words or by name; empty takes it from the description": "Ein Ausdruck in Worten oder beim Namen; leer "
    "nimmt ihn aus der Beschreibung",
    "Intensity": "Stärke",
    "How strong the expression is: 0 neutral, 1 as the words say": "Wie stark der Ausdruck ist: 0 neutral, 1 wie die Worte "
    "sagen",
    "Seed": "Startwert",
    "Another number gives another head for the same words": "Eine andere Zahl gibt einen anderen Kopf zu denselben Worten",
    "Any head of the model pack, drawn by the seed; words then only guide the texture": "Irgendein Kopf des Modellpakets, vom "
    "Startwert gezogen; Worte leiten dann nur die Textur",
    "Variation": "Abwechslung",
    "How far seeds lead away from the average head of the description; 0 gives that average itself": "Wie weit Startwerte vom "
    "Durchschnittskopf der Beschreibung wegführen; 0 gibt diesen selbst",
    "Resolution": "Auflösung",
    "Samples along the head's longest side: more give a finer mesh and take longer": "Abtastpunkte entlang der längsten Seite "
    "des Kopfes: mehr geben ein feineres Netz und dauern länger",
    "Texture": "Textur",
    "Side of the texture image": "Seitenlänge des Texturbildes",
    "Topology": "Topologie",
    "The kind of mesh": "Die Art des Netzes",
    "Density": "Dichte",
    "How many quads the head has": "Wie viele Vierecke der Kopf hat",
    "Hair": "Haar",
    "What becomes of the hair, if the pack has any": "Was aus dem Haar wird, wenn das Paket welches hat",
    "Device": "Gerät",
    "What computes the head": "Was den Kopf berechnet",
    "Lock Seed": "Startwert sperren",
    "Keep the seed, so that the same words lead to the same head; open, every Generate draws another": "Den Startwert "
    "behalten, so dass dieselben Worte zum selben Kopf führen; offen zieht jedes Erzeugen einen neuen",
    # recent descriptions
    "Take this description again": "Diese Beschreibung wieder nehmen",
    "Draw another seed: another head for the same words": "Einen neuen Startwert ziehen: ein anderer Kopf zu denselben Worten",
    "Recent Description": "Frühere Beschreibung",
    "Random Seed": "Zufälliger Startwert",
    "Recent Descriptions": "Frühere Beschreibungen",
    "Descriptions used lately": "Zuletzt benutzte Beschreibungen",
    "The description to take": "Die Beschreibung, die genommen wird",
    "The seed is locked: open the lock beside it first": "Der Startwert ist gesperrt: zuerst das Schloss daneben öffnen",
    "None yet": "Noch keine",
    # shaping
    "Show where a head's vertices go while its sliders move": "Zeigen, wohin die Punkte eines Kopfes gehen, während Regler "
    "sich bewegen",
    "Give a head the shape that its sliders ask for": "Einem Kopf die Form geben, die seine Regler verlangen",
    "Change one attribute of the selected head; texture, UV map and the other attributes stay": "Ein Merkmal des ausgewählten "
    "Kopfes ändern; Textur, UV-Map und die anderen Merkmale bleiben",
    "Set sliders back to zero, where the head is as it was generated": "Regler auf null zurücksetzen, wo der Kopf ist, wie er "
    "erzeugt wurde",
    "Make the selected head again from its recipe: the same geometry and texture, beside it": "Den ausgewählten Kopf nach "
    "seinem Rezept noch einmal machen: dieselbe Form und Textur, daneben",
    "Make several heads in a row beside the selected one; locked attributes are kept": "Mehrere Köpfe in einer Reihe neben dem "
    "ausgewählten machen; gesperrte Merkmale bleiben",
    "Make a head between the two selected ones, beside the active one": "Einen Kopf zwischen den beiden ausgewählten machen, "
    "neben dem aktiven",
    "Preview Shape": "Formvorschau",
    "Shape Head": "Kopf formen",
    "Reset": "Zurücksetzen",
    "Make Again": "Noch einmal machen",
    "Variations": "Varianten",
    "Blend": "Mischen",
    "Shape": "Form",
    "Vary and Blend": "Abwandeln und mischen",
    "Folder of a shaped head": "Ordner eines geformten Kopfes",
    "Head": "Kopf",
    "The object it belongs to": "Das Objekt, zu dem es gehört",
    "Sliders": "Regler",
    "What it was made with, as JSON": "Womit es gemacht wurde, als JSON",
    "Attribute": "Merkmal",
    'What to change, such as "nose width"': 'Was geändert wird, etwa "nose width"',
    "Value": "Wert",
    "Standard deviations of the population away from the head as it was generated": "Standardabweichungen der Bevölkerung weg "
    "vom Kopf, wie er erzeugt wurde",
    "The slider to reset; empty resets them all": "Der Regler, der zurückgesetzt wird; leer setzt alle zurück",
    "Kind": "Art",
    "What the new heads have in common with the selected one": "Was die neuen Köpfe mit dem ausgewählten gemeinsam haben",
    "Other seeds of the same description": "Andere Startwerte derselben Beschreibung",
    "Random": "Zufällig",
    "Any heads of the model pack; the description only guides the texture": "Irgendwelche Köpfe des Modellpakets; die "
    "Beschreibung leitet nur die Textur",
    "Count": "Anzahl",
    "How many heads to make": "Wie viele Köpfe gemacht werden",
    "First Seed": "Erster Startwert",
    "Seed of the first head, the others follow; 0 goes on from the selected head's own, or draws one": "Startwert des ersten "
    "Kopfes, die anderen folgen; 0 zählt vom ausgewählten Kopf weiter oder zieht einen",
    "Locked": "Gesperrt",
    "Attributes to keep, separated by commas; empty takes those locked in the panel": "Merkmale, die bleiben, durch Kommas "
    "getrennt; leer nimmt die im Panel gesperrten",
    "Share": "Anteil",
    "How much of the other head: 0 none, 1 all": "Wie viel vom anderen Kopf: 0 nichts, 1 alles",
    "Other Head": "Anderer Kopf",
    "Name of the other head; empty takes the other selected one": "Name des anderen Kopfes; leer nimmt den anderen "
    "ausgewählten",
    "Keep this attribute in variations and random heads": "Dieses Merkmal bei Varianten und zufälligen Köpfen behalten",
    "Group": "Gruppe",
    "Which attributes are shown": "Welche Merkmale gezeigt werden",
    "Search": "Suchen",
    "Show attributes whose names contain these letters": "Merkmale zeigen, deren Namen diese Buchstaben enthalten",
    "How many heads to make in a row": "Wie viele Köpfe in einer Reihe gemacht werden",
    "How much of the other selected head goes into the blend": "Wie viel vom anderen ausgewählten Kopf in die Mischung kommt",
    "Reset All": "Alle zurücksetzen",
    "All sliders are at zero": "Alle Regler stehen auf null",
    "There is only one head in the scene: make another": "Es ist nur ein Kopf in der Szene: noch einen machen",
    "No attribute has this name": "Kein Merkmal heißt so",
    "{count} more: type more letters": "{count} weitere: mehr Buchstaben tippen",
    "Locked: {names}": "Gesperrt: {names}",
    "Select a head that CLIP-Head has made": "Einen Kopf auswählen, den CLIP-Head gemacht hat",
    "This head was made with the model pack '{pack}'. Choose it in the preferences": "Dieser Kopf wurde mit dem Modellpaket "
    "'{pack}' gemacht. Es in den Einstellungen wählen",
    "The model pack '{pack}' has no sliders": "Das Modellpaket '{pack}' hat keine Regler",
    "This head is from an earlier version: use Make Again first": "Dieser Kopf ist aus einer früheren Version: zuerst noch "
    "einmal machen",
    "The head is linked from another file: make it local first": "Der Kopf ist aus einer anderen Datei verknüpft: zuerst lokal "
    "machen",
    "Go to Object Mode first": "Zuerst in den Objektmodus gehen",
    # presets
    "Keep the recipe of the selected head as a preset": "Das Rezept des ausgewählten Kopfes als Vorgabe behalten",
    "Make the head of a preset at the 3D cursor": "Den Kopf einer Vorgabe am 3D-Cursor machen",
    "Delete a preset's file; heads made from it stay": "Die Datei einer Vorgabe löschen; daraus gemachte Köpfe bleiben",
    "Copy the recipe of the selected head to the clipboard, as text that can be pasted here or sent to somebody": "Das Rezept "
    "des ausgewählten Kopfes in die Zwischenablage kopieren, als Text, der hier eingefügt oder verschickt werden kann",
    "Make the head whose recipe is on the clipboard": "Den Kopf machen, dessen Rezept in der Zwischenablage ist",
    "Make the head of a preset file": "Den Kopf einer Vorgabedatei machen",
    "Write the recipe of the selected head into a preset file": "Das Rezept des ausgewählten Kopfes in eine Vorgabedatei "
    "schreiben",
    "Save Preset": "Vorgabe sichern",
    "Make Head": "Kopf machen",
    "Remove Preset": "Vorgabe entfernen",
    "Copy": "Kopieren",
    "Paste": "Einfügen",
    "Open File": "Datei öffnen",
    "Save File": "Datei sichern",
    "Presets": "Vorgaben",
    "Name": "Name",
    "The preset's name; empty takes the head's": "Der Name der Vorgabe; leer nimmt den des Kopfes",
    "Preset": "Vorgabe",
    "The preset's name": "Der Name der Vorgabe",
    "Text": "Text",
    "A preset's text; empty takes the clipboard": "Der Text einer Vorgabe; leer nimmt die Zwischenablage",
    "The preset to make a head from": "Die Vorgabe, aus der ein Kopf gemacht wird",
    "There are no presets": "Es gibt keine Vorgaben",
    "No presets yet": "Noch keine Vorgaben",
    "The recipe is on the clipboard": "Das Rezept ist in der Zwischenablage",
    # history
    "Place a head of the history in the scene again, without computing": "Einen Kopf aus dem Verlauf wieder in die Szene "
    "setzen, ohne zu rechnen",
    "Remove a head from the history and delete its files; heads in scenes stay": "Einen Kopf aus dem Verlauf entfernen und "
    "seine Dateien löschen; Köpfe in Szenen bleiben",
    "Place": "Setzen",
    "Remove from History": "Aus dem Verlauf entfernen",
    "History": "Verlauf",
    "Entry": "Eintrag",
    "Name of an entry of the history; empty takes the newest": "Name eines Eintrags im Verlauf; leer nimmt den neuesten",
    "Beside": "Daneben",
    "Stand it beside the selected head, to compare them, instead of at the 3D cursor": "Ihn zum Vergleich neben den "
    "ausgewählten Kopf stellen statt an den 3D-Cursor",
    "A head made before": "Ein früher gemachter Kopf",
    "Compare": "Vergleichen",
    "The history is empty: finished heads come here by themselves": "Der Verlauf ist leer: fertige Köpfe kommen von selbst "
    "hierher",
    "Finished heads come here by themselves": "Fertige Köpfe kommen von selbst hierher",
    # expressions and animation
    "Named": "Benannt",
    "The expressions with a button: smile, laugh, sad and so on": "Die Ausdrücke mit einem Knopf: Lächeln, Lachen, Trauer und "
    "so weiter",
    "ARKit": "ARKit",
    "Apple's face tracking shapes under their exact names, all but tongueOut: the heads have no tongue": "Apples Formen der "
    "Gesichtserfassung unter ihren genauen Namen, alle bis auf tongueOut: die Köpfe haben keine Zunge",
    "Visemes": "Viseme",
    "The 15 mouth shapes of speech: sil, PP, FF, TH and so on": "Die 15 Mundformen der Sprache: sil, PP, FF, TH und so weiter",
    "Add a set of expressions to the selected head as shape keys. The engine computes them in the background": "Dem "
    "ausgewählten Kopf eine Reihe von Ausdrücken als Formschlüssel geben. Sie werden im Hintergrund berechnet",
    "Put this expression on the selected head and take all others off": "Dem ausgewählten Kopf diesen Ausdruck geben und alle "
    "anderen nehmen",
    "Set keyframes of the expression in the words at the current frame, on Apple's shape keys": "Beim jetzigen Bild "
    "Schlüsselbilder für den Ausdruck in Worten setzen, auf Apples Formschlüsseln",
    "Turn the list of frames and words into an animation of the selected head": "Aus der Liste von Bildern und Worten eine "
    "Animation des ausgewählten Kopfes machen",
    "Import face tracking recorded by Live Link Face (.csv) as keyframes of the selected head, at the scene's frame rate": ""
    "Von Live Link Face aufgezeichnete Gesichtserfassung (.csv) als Schlüsselbilder des ausgewählten Kopfes einlesen, in der "
    "Bildrate der Szene",
    "Add computed shape keys to a head and show one of them": "Einem Kopf berechnete Formschlüssel geben und einen zeigen",
    "Set keyframes for expressions in words": "Schlüsselbilder für Ausdrücke in Worten setzen",
    "Set keyframes for recorded face tracking": "Schlüsselbilder für aufgezeichnete Gesichtserfassung setzen",
    "Add a line for the current frame to the animation list, with the words of the field above": "Der Animationsliste eine "
    "Zeile für das jetzige Bild geben, mit den Worten des Feldes darüber",
    "Remove the selected line from the animation list": "Die ausgewählte Zeile aus der Animationsliste entfernen",
    "Add Expressions": "Ausdrücke hinzufügen",
    "Show Expression": "Ausdruck zeigen",
    "Keyframe Expression": "Ausdruck als Schlüsselbild",
    "Animate List": "Liste animieren",
    "Import Face Tracking": "Gesichtserfassung einlesen",
    "Expressions": "Ausdrücke",
    "Add Line": "Zeile hinzufügen",
    "Remove Line": "Zeile entfernen",
    "Animation": "Animation",
    "Set": "Reihe",
    "Which expressions": "Welche Ausdrücke",
    "Its name": "Sein Name",
    "1 is the expression as trained": "1 ist der Ausdruck wie gelernt",
    "Words": "Worte",
    'An expression such as "a broad smile"; empty: the panel\'s': 'Ein Ausdruck wie "a broad smile"; leer: der des Panels',
    "Lines": "Zeilen",
    'Frames and words as JSON, such as [[1, "neutral"], [20, "smile"]]; empty: the panel\'s list': "Bilder und Worte als JSON, "
    'etwa [[1, "neutral"], [20, "smile"]]; leer: die Liste des Panels',
    "Start Frame": "Erstes Bild",
    "Where the recording begins": "Wo die Aufzeichnung beginnt",
    "Recorded At": "Aufgezeichnet mit",
    "Frames per second of the recording's timecodes": "Bilder je Sekunde der Zeitangaben der Aufzeichnung",
    "Folder of the engine's answer; empty if none was needed": "Ordner der berechneten Antwort; leer, wenn keine nötig war",
    "Folder of the engine's answer": "Ordner der berechneten Antwort",
    "Name of its object": "Name seines Objekts",
    "Show": "Zeigen",
    "Expression to put on the head": "Ausdruck, den der Kopf bekommt",
    "Of the expression shown": "Des gezeigten Ausdrucks",
    "Frames": "Bilder",
    "JSON list, one per sentence": "JSON-Liste, eins je Satz",
    "File": "Datei",
    "The .csv file": "Die .csv-Datei",
    "Frames per second of its timecodes": "Bilder je Sekunde ihrer Zeitangaben",
    "Frame": "Bild",
    "When the face shows these words": "Wann das Gesicht diese Worte zeigt",
    'An expression such as "a broad smile", or a name': 'Ein Ausdruck wie "a broad smile", oder ein Name',
    "Of the expression that a button shows": "Des Ausdrucks, den ein Knopf zeigt",
    'An expression in words, such as "a broad smile"': 'Ein Ausdruck in Worten, etwa "a broad smile"',
    "The animation: expressions in words, each with its frame": "Die Animation: Ausdrücke in Worten, jeder mit seinem Bild",
    "Line": "Zeile",
    "The line that is selected": "Die ausgewählte Zeile",
    "Add as Shape Keys": "Als Formschlüssel hinzufügen",
    "Expression in words": "Ausdruck in Worten",
    "The list is empty": "Die Liste ist leer",
    "Select a head made by CLIP-Head": "Einen von CLIP-Head gemachten Kopf auswählen",
    "The head was made by an older version: make it again from its recipe": "Der Kopf ist aus einer älteren Version: ihn nach "
    "seinem Rezept noch einmal machen",
    "Still deleting": "Es wird noch gelöscht",
    "The engine is busy: wait for it or cancel it": "Es wird gerade gerechnet: abwarten oder abbrechen",
    # rig and export
    "Give the selected head bones for neck, head, jaw and eyes, and eyeballs. The engine works in the background": "Dem "
    "ausgewählten Kopf Knochen für Hals, Kopf, Kiefer und Augen geben, und Augäpfel. Gerechnet wird im Hintergrund",
    "Build a computed rig around its head": "Ein berechnetes Skelett um seinen Kopf bauen",
    "Take the rig and the eyeballs away again; the painted eyes come back, shape keys stay": "Skelett und Augäpfel wieder "
    "wegnehmen; die gemalten Augen kommen zurück, Formschlüssel bleiben",
    "Add Rig": "Skelett hinzufügen",
    "Remove Rig": "Skelett entfernen",
    "Rig": "Skelett",
    "Eyeballs": "Augäpfel",
    "Open the skin between the lids and set eyeballs in; without, the painted eyes stay": "Die Haut zwischen den Lidern öffnen "
    "und Augäpfel einsetzen; sonst bleiben die gemalten Augen",
    "Set eyeballs in": "Augäpfel einsetzen",
    "Without Eyeballs": "Ohne Augäpfel",
    "The head has a rig already: remove it first": "Der Kopf hat schon ein Skelett: es zuerst entfernen",
    "The head has no rig": "Der Kopf hat kein Skelett",
    "Write the selected head with its hair, eyes and rig to a file; nothing in the scene changes": "Den ausgewählten Kopf mit "
    "Haar, Augen und Skelett in eine Datei schreiben; in der Szene ändert sich nichts",
    "Offer the head, with its hair, eyes and rig, in the Asset Browser: with a picture, tags and the catalogue 'Heads'": "Den "
    "Kopf mit Haar, Augen und Skelett im Asset-Browser anbieten: mit Bild, Stichworten und dem Katalog 'Heads'",
    "Export Head": "Kopf exportieren",
    "Mark as Asset": "Als Asset markieren",
    "Export": "Export",
    "Format": "Format",
    "The kind of file": "Die Art der Datei",
    "A rig opens the skin between the lids and sets eyeballs in": "Ein Skelett öffnet die Haut zwischen den Lidern und setzt "
    "Augäpfel ein",
    "Teeth and Tongue": "Zähne und Zunge",
    "A rig comes with teeth and a tongue": "Ein Skelett kommt mit Zähnen und Zunge",
    "Simple bodies behind the lips": "Einfache Körper hinter den Lippen",
    "Put them behind the lips": "Sie hinter die Lippen setzen",
    # worker, packs and storage
    "Free Memory After Minutes": "Speicher frei nach Minuten",
    "Without a head for so long, the engine is stopped and its memory freed; 0 keeps it": "So lange ohne Kopf, und das "
    "Rechenprogramm wird beendet und sein Speicher frei; 0 behält es",
    "A name of open_clip's; its text tower reads the descriptions. OpenAI's weights need one with -quickgelu": "Ein Name von "
    "open_clip; sein Textturm liest die Beschreibungen. Gewichte von OpenAI brauchen einen mit -quickgelu",
    "Stop making the head, or take it off the queue": "Den Kopf nicht weiter berechnen, oder ihn aus der Warteschlange nehmen",
    "Job": "Auftrag",
    "Number of the job; 0 is the one that is being made": "Nummer des Auftrags; 0 ist der, der gerade gemacht wird",
    "Free Memory After": "Speicher frei nach",
    "Minutes without a head after which the engine is stopped and its memory freed; 0 keeps it": "Minuten ohne Kopf, nach "
    "denen das Rechenprogramm beendet und sein Speicher frei wird; 0 behält es",
    "Copy versions, the last description and the log to the clipboard, to send along with a question": "Versionen, die letzte "
    "Beschreibung und das Protokoll in die Zwischenablage kopieren, um sie einer Frage beizulegen",
    "Copy Report": "Bericht kopieren",
    "Unpack and check the zip file of a model pack in the background, and use it for the next heads": "Die Zip-Datei eines "
    "Modellpakets im Hintergrund auspacken und prüfen und es für die nächsten Köpfe nehmen",
    "Fetch a model pack from an address, check it, and use it for the next heads": "Ein Modellpaket von einer Adresse holen, "
    "prüfen und für die nächsten Köpfe nehmen",
    "Stop bringing the pack in; what a download has fetched is kept for the next time": "Das Paket nicht weiter holen; was "
    "heruntergeladen ist, bleibt für das nächste Mal",
    "Install Pack from File": "Paket aus Datei einrichten",
    "Download Pack": "Paket herunterladen",
    "Stop": "Beenden",
    "Kinds": "Arten",
    "Files that are listed": "Dateien, die gezeigt werden",
    "Address": "Adresse",
    "Where the pack's zip file is; https only": "Wo die Zip-Datei des Pakets liegt; nur https",
    "Bytes": "Bytes",
    "Size of the file in bytes, as the pack's maker states it": "Größe der Datei in Bytes, wie vom Hersteller des Pakets "
    "angegeben",
    "SHA-256": "SHA-256",
    "Checksum of the file, as the pack's maker states it": "Prüfsumme der Datei, wie vom Hersteller des Pakets angegeben",
    "Tick Preferences > System > Allow Online Access first": "Zuerst unter Einstellungen > System den Online-Zugriff erlauben",
    "A pack is being brought in: wait for it or stop it": "Ein Paket wird geholt: warten oder beenden",
    "Python 3.11 or newer that has the engine's packages, to use a graphics card for example; empty uses those that travel "
    "with the extension, unless it is the slim one": "Python 3.11 oder neuer mit den Paketen des Programms, etwa um eine "
    "Grafikkarte zu nutzen; leer nimmt die mitgelieferten, außer bei der schlanken Erweiterung",
    "Where the engine, packs, log and history are kept; empty uses the usual places of this computer": "Wo Rechenprogramm, "
    "Pakete, Protokoll und Verlauf liegen; leer nimmt die üblichen Orte dieses Rechners",
    "Keep Packs and History": "Pakete und Verlauf behalten",
    "When CLIP-Head is removed, leave the model packs, and the history if it is in a chosen data folder": "Beim Entfernen von "
    "CLIP-Head die Modellpakete lassen, und den Verlauf, wenn er in einem gewählten Datenordner liegt",
    "The engine travels with the extension": "Das Rechenprogramm kommt mit der Erweiterung",
    "This is the slim extension: choose an External Python": "Dies ist die schlanke Erweiterung: ein externes Python wählen",
    "Delete": "Löschen",
    "Delete what CLIP-Head keeps on the disk; heads in your files stay": "Löschen, was CLIP-Head auf der Platte behält; Köpfe "
    "in Dateien bleiben",
    "What is deleted": "Was gelöscht wird",
    "Storage": "Speicherplatz",
    "Remove Everything": "Alles entfernen",
    # other CLIP models
    "Train the model pack's mapping networks for this CLIP model: up to ten minutes, in the background": "Die Abbildungsnetze "
    "des Modellpakets für dieses CLIP-Modell trainieren: bis zu zehn Minuten, im Hintergrund",
    "Stop adapting": "Nicht weiter anpassen",
    "Adapt to this CLIP Model": "An dieses CLIP-Modell anpassen",
    "CLIP Model": "CLIP-Modell",
    "A name of open_clip's, such as ViT-L-14": "Ein Name von open_clip, etwa ViT-L-14",
    "Weights": "Gewichte",
    "The model's weights, a file on this computer": "Die Gewichte des Modells, eine Datei auf diesem Rechner",
    "Read descriptions with another CLIP model": "Beschreibungen mit einem anderen CLIP-Modell lesen",
    "A CLIP model is being adapted to: wait for it or cancel it": "Es wird an ein CLIP-Modell angepasst: abwarten oder "
    "abbrechen",
    "A name of open_clip's; its text tower reads the descriptions": "Ein Name von open_clip; sein Textturm liest die "
    "Beschreibungen",
    "The CLIP model's weights, a file on this computer": "Die Gewichte des CLIP-Modells, eine Datei auf diesem Rechner",
    "Where the log is kept; empty uses the extension's own user folder": "Wo das Protokoll liegt; leer nimmt den eigenen "
    "Benutzerordner der Erweiterung",
}


def texts():
    """Every text of the interface in German, those that are put together from attributes included."""
    found = dict(TEXTS)
    for group, name in GROUPS.items():
        found[group] = name
        found[f"Attributes of the group {group}"] = f"Merkmale der Gruppe {name}"
    for attribute, (low, high) in ENDS.items():
        name, *ends = ATTRIBUTES[attribute]
        found[attribute.title()] = name
        found[f"Lock {attribute.title()}"] = f"{name} sperren"
        found[SLIDER.format(low=low.capitalize(), high=high)] = (
            f"{ends[0].capitalize()} bis {ends[1]}. Null ist der Kopf, wie er erzeugt wurde; eins eine Standardabweichung"
        )
    return found
