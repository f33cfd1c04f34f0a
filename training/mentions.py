"""How a request mentions its files."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from training.graphs import File
from training.marks import kept
from training.phrases import Bank

_ORDINALS = ("first", "second", "third", "fourth", "fifth")
SORT_NOUNS = {
    "photo": ("photo", "picture", "image", "shot"),
    "doc": ("document", "scan", "picture", "page"),
    "image": ("image", "picture"),
    "speech": ("recording", "audio", "voice message"),
    "sound": ("recording", "sound", "audio"),
    "audio": ("audio", "recording", "file"),
    "video": ("video", "clip"),
    "table": ("table", "spreadsheet", "data"),
    "textfile": ("text", "file", "document"),
}
_MADE = ("it", "it", "that", "this", "the {}", "that {}", "this {}", "the result", "the {} you made", "your {}")
"""How people refer to the result of an earlier turn."""

_SHOWN = ("the {}", "the {}", "my {}", "our {}", "this {}")
_SAYS_NOTHING = re.compile(
    r"(?i)image|picture|photo|pic|shot|img|scan|screenshot|example|sample|test|file|input|output|new|copy|final|untitled|"
    r"document|doc|audio|sound|video|clip|movie|rec|recording|text|data|table|the|my|a|in|at|of|is"
)


def _shown_by_name(name: str) -> str | None:
    """What the name of a file says it is: "boarding pass" for boarding_pass.png; None if it says nothing."""
    words = re.split(r"[-_ ]", name.rpartition(".")[0]) if "://" not in name and "/" not in name else []
    telling = words and len(words) <= 2 and all(w.isalpha() and w.islower() and len(w) > 2 for w in words)
    return " ".join(words) if telling and not any(_SAYS_NOTHING.fullmatch(w) for w in words) else None


@dataclass
class Mentioned:
    """Files, and how one request has mentioned them so far.

    Attributes:
        taken: names that no file may get.
    """

    bank: Bank
    rng: random.Random
    files: list[File]
    held_out: bool | None
    taken: frozenset[str] = frozenset()
    mentioned: set[int] = field(default_factory=set)
    needed: set[int] = field(default_factory=set)
    counted: bool = False

    def __post_init__(self) -> None:
        taken = {*self.taken}
        for file in self.files:
            names = self.bank.mentions[file.sort].names
            while not file.name or file.name in taken:
                file.name = self.rng.choice(names)
                if self.rng.random() < 0.3:
                    stem, dot, ending = file.name.rpartition(".")
                    file.name = f"{stem}{self.rng.choice(('', '-', '_'))}{self.rng.randrange(1, 99)}{dot}{ending}"
            taken.add(file.name)

    def mention(self, file: File) -> str:
        """A noun phrase for a file."""
        rng, ways = self.rng, self.bank.mentions[file.sort]
        alike = [f for f in self.files if f.type is file.type]
        again = id(file) in self.mentioned
        self.mentioned.add(id(file))
        if file.made and rng.random() < 0.9:
            self.needed.add(id(file))
            return rng.choice(_MADE).format(rng.choice(SORT_NOUNS[file.sort]))
        if again and len(alike) == 1 and rng.random() < 0.6:
            noun = rng.choice(SORT_NOUNS[file.sort])
            return rng.choice(("the same {}", "that {}", "the {}", "the original {}")).format(noun)
        if not again and rng.random() < 0.12 and (shown := _shown_by_name(file.name)):
            self.needed.add(id(file))
            return rng.choice(_SHOWN).format(shown)
        if not again and len(alike) == 1 and rng.random() < 0.42 and not file.name.startswith("http"):
            self.needed.add(id(file))
            return rng.choice(ways.pointing)
        if len(alike) > 1 and rng.random() < 0.15 and len({f.sort for f in alike}) == 1 and ways.nth:
            self.needed |= {id(f) for f in alike}
            self.counted = True
            at = alike.index(file)
            fitting = [way for way in ways.nth if "{" in way or at == len(alike) - 1]
            return rng.choice(fitting).replace("{nth}", _ORDINALS[at]).replace("{i}", str(at + 1))
        if again and rng.random() < 0.5:
            return kept(file.name)
        return rng.choice(ways.named).replace("{file}", kept(file.name))

    def all_of(self, files: list[File]) -> str:
        """A noun phrase for several files."""
        rng = self.rng
        alike = [f for f in self.files if f.type is files[0].type]
        self.mentioned |= {id(f) for f in files}
        if len(alike) == len(files) and rng.random() < 0.55:
            self.needed |= {id(f) for f in files}
            several = [
                s for s in self.bank.mentions[files[0].sort].several if len(files) == 2 or "both" not in s.lower()
            ]
            count = {2: "two", 3: "three"}.get(len(files), str(len(files)))
            return rng.choice(several).replace("{n}", count)
        names = [kept(f.name) for f in files]
        return ", ".join(names[:-1]) + rng.choice((" and ", ", ", " and ")) + names[-1]

    def attached(self) -> list[File]:
        """The files that have to be attached, and some others."""
        rng = self.rng
        every = rng.random() < 0.5
        return [
            f
            for f in self.files
            if id(f) in self.needed or id(f) not in self.mentioned or (every and not f.name.startswith("http"))
        ]
