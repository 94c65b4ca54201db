"""How far a head is and how long it still takes."""

SECONDS = {  # stage -> seconds on two cores at the default settings, in the order they happen
    "Starting the engine": 5.0,
    "Loading the models": 0.5,
    "Reading the words": 0.1,
    "Choosing the head": 0.1,
    "Shaping the surface": 4.0,
    "Unwrapping": 2.0,
    "Moving the sliders": 6.0,
    "Laying the quads": 0.4,
    "Painting the texture": 2.0,
    "Writing the files": 0.5,
}
PAINTING = ("Starting the engine", "Loading the models", "Painting the texture", "Writing the files")  # of a texture alone
PRIOR = 1.0  # seconds of work for which the pace of earlier heads is trusted more than this one's


class Estimate:
    """One head's progress.

    settings: Settings; stages: names of those that will happen; pace: what this computer takes for a second of SECONDS, which
    is kept up to date, to begin the next head's estimate with.
    """

    def __init__(self, settings, stages=tuple(SECONDS), pace=1.0):
        grid, image = (settings.resolution / 192) ** 2, (settings.texture_size / 512) ** 2
        share = {
            "Shaping the surface": grid,
            "Unwrapping": 0.2 + 0.8 * grid,
            "Moving the sliders": grid,
            "Painting the texture": 0.6 * settings.steps / 12 + 0.4 * image,
            "Writing the files": 0.5 + 0.5 * image,
        }
        self.expected = {name: SECONDS[name] * share.get(name, 1.0) for name in SECONDS if name in stages}
        self.total = sum(self.expected.values())
        self.prior = self.pace = pace
        self.done = self.fraction = 0.0

    def update(self, stage, fraction, seconds):
        """Where the work is (fraction: of the stage) after so many seconds -> fraction of the whole, seconds that are left.

        The fraction never falls. A stage that is not known changes neither.
        """
        if stage in self.expected:
            names = list(self.expected)
            before = sum(self.expected[name] for name in names[: names.index(stage)])
            self.done = max(self.done, before + fraction * self.expected[stage])
        self.pace = (seconds + PRIOR * self.prior) / (self.done + PRIOR)
        left = (self.total - self.done) * self.pace
        self.fraction = max(self.fraction, min(seconds / max(seconds + left, 1e-9), 1.0))
        return self.fraction, left
