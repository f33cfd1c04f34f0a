"""From a random plan to a request for it, written the way people write."""

from __future__ import annotations

import random
import re
from collections.abc import Set
from dataclasses import dataclass

from hugginggpt.plan.notation import NOTHING, named, quoted
from training.graphs import FILE_SORTS, File, Literal, Step
from training.marks import CLOSE, OPEN, kept
from training.mentions import SORT_NOUNS, Mentioned
from training.phrases import Bank, Block
from training.slots import SLOT, Slots

_QUOTED = re.compile(r'"([^"]*)"')
_KIND = re.compile(r"> ([a-z0-9-]+)")
_BLOCKS_WITH_A_DECOY = 0.08
_QUOTES = ('"{}"', '"{}"', '"{}"', "'{}'", "“{}”", "«{}»")


def capitalised(text: str) -> str:
    """The text with a capital first letter, unless the plan copies the first word."""
    return text[:1].upper() + text[1:]


def listed(items: list[str], rng: random.Random) -> str:
    """The items, listed as people list them."""
    marked = [kept(item) for item in items]
    if len(marked) == 1:
        return marked[0]
    style = rng.random()
    if style < 0.15:
        return ", ".join(marked)
    if style < 0.25:
        return "/".join(marked)
    if style < 0.35:
        return ", ".join(f'"{m}"' for m in marked)
    last = rng.choice((" or ", " and ", " or "))
    return ", ".join(marked[:-1]) + last + marked[-1]


def with_decoy(text: str, kinds: Set[str], bank: Bank, rng: random.Random) -> str:
    """The request with a sentence before or after it that mentions a step its plan does not have."""
    decoy = rng.choice([line for others, line in bank.decoys if not others & kinds])
    return f"{decoy} {text}" if rng.random() < 0.5 else f"{text.rstrip()} {decoy}"


@dataclass
class Worded:
    """A request and its files.

    Attributes:
        text: the request, with marks around what the plan copies.
        files: every file of the plan, with a name.
        attached: the files that come with the request.
        in_order: the request counts the files, so their order has to stay.
    """

    text: str
    files: list[File]
    attached: list[File]
    in_order: bool


class Wording:
    """Words one plan."""

    def __init__(self, bank: Bank, rng: random.Random, held_out: bool | None) -> None:
        self._bank, self._rng, self._held_out = bank, rng, held_out

    # Whole requests from the bank

    def block(self, block: Block, slots: Slots | None = None) -> tuple[Worded, str]:
        """A request of a block with its slots filled, and its plan.

        Args:
            block: the block.
            slots: what the conversation has filled its slots with so far.
        """
        rng = self._rng
        slots = slots or Slots(self._bank, rng)
        text = rng.choice(block.requests)
        plan = "\n".join(block.pipelines)
        known = frozenset(file.name for file in slots.files.values())
        new = slots.fill(text + plan)
        files, values = slots.files, slots.values
        speaking = Mentioned(self._bank, rng, new, self._held_out, known)

        def worded(match: re.Match[str]) -> str:
            key = (match.group(1).lower(), match.group(2))
            if key in files:
                mention = speaking.mention(files[key])
                return capitalised(mention) if match.group(1)[0].isupper() else mention
            if key[0] == "lang":  # a plan holds its English name, however it is typed
                return values[key][0]
            return kept(values[key][0]) if len(values[key]) == 1 else listed(values[key], rng)

        def inside(match: re.Match[str]) -> str:
            """A quoted text of the plan with its slots filled."""
            if (whole := SLOT.fullmatch(match.group(1))) is not None:
                return planned(whole)
            return quoted(SLOT.sub(lambda m: values[m.group(1), m.group(2)][0], match.group(1)))

        def planned(match: re.Match[str]) -> str:
            key = (match.group(1).lower(), match.group(2))
            if key in files:
                return named(files[key].name)
            return ", ".join(quoted(value) for value in values[key])

        # A question that holds the file's own name is taken with it.
        for whole in re.findall(r'"([^"]*\{[a-z]+\d?\}[^"]*)"', plan):
            if any(slot in FILE_SORTS for slot in re.findall(r"\{([a-z]+)\d?\}", whole)) and whole in text:
                filled = re.sub(r"\{([a-z]+)(\d?)\}", lambda m: files[m.group(1), m.group(2)].name, whole)
                text, plan = text.replace(whole, kept(filled)), plan.replace(f'"{whole}"', quoted(filled))
                speaking.mentioned |= {id(file) for file in files.values()}
        fixed = {words.removesuffix("{}").rstrip(": ") for words in _QUOTED.findall(plan)}
        if OPEN not in text and (plain := sorted((w for w in fixed if w and "{" not in w), key=len, reverse=True)):
            text = re.sub("|".join(map(re.escape, plain)), lambda match: kept(match.group()), text)
        text = SLOT.sub(worded, text)
        plan = "\n".join(SLOT.sub(planned, _QUOTED.sub(inside, line)) for line in plan.splitlines())
        if plan != NOTHING and "\n" not in text and rng.random() < _BLOCKS_WITH_A_DECOY:
            text = with_decoy(text, set(_KIND.findall(plan)), self._bank, rng)
        return Worded(text, speaking.files, speaking.attached(), speaking.counted), plan

    # Requests composed step by step

    def steps(self, steps: list[Step]) -> Worded:
        """A request for the plan that consists of these steps."""
        files = list(dict.fromkeys(file for step in steps for file in step.files()))
        speaking = Mentioned(self._bank, self._rng, files, self._held_out)
        return _Composing(self._bank, self._rng, self._held_out, steps, speaking).worded()


@dataclass
class _Clause:
    """One wish in words.

    Attributes:
        form: do, ask or noun.
        follows: it goes on from the wish before it.
        tail: a long text that stands after it.
    """

    form: str
    text: str
    follows: bool
    tail: str = ""


class _Composing:
    """One request in the making."""

    def __init__(
        self, bank: Bank, rng: random.Random, held_out: bool | None, steps: list[Step], speaking: Mentioned
    ) -> None:
        self._bank, self._rng, self._held_out, self._steps, self._speaking = bank, rng, held_out, steps, speaking
        self._users = {id(s): [t for t in steps if s in t.needs()] for s in steps}
        self._said: list[Step] = []
        self._last: Step | None = None
        self._tail = ""
        self._hint = ""
        self._nested = rng.choice((0.1, 0.3, 0.6, 0.9))
        self._modified = rng.choice((0.0, 0.3, 0.6))

    def worded(self) -> Worded:
        """The whole request."""
        lead = self._lead()
        clauses = self._clauses()
        text = self._joined(clauses)
        text = self._framed(lead, text)
        speaking = self._speaking
        return Worded(text, speaking.files, speaking.attached(), speaking.counted)

    def _lead(self) -> str:
        """A sentence before the wish that introduces the file."""
        rng, files = self._rng, self._speaking.files
        if not files or rng.random() > 0.22 or any(isinstance(s.piped, list) for s in self._steps):
            return ""
        if any(file.made for file in files):
            return ""
        introduced = []
        for file in files[:2]:
            self._speaking.mentioned.add(id(file))
            noun = SORT_NOUNS[file.sort][0]
            article = "an" if noun[0] in "aeiou" else "a"
            phrase = rng.choice(self._bank.mentions["lead"].named)
            introduced.append(phrase.replace("{file}", kept(file.name)).replace("{thing}", f"{article} {noun}"))
        return " ".join(introduced)

    def _clauses(self) -> list[_Clause]:
        embedded = {
            id(s)
            for s in self._steps
            if len(self._users[id(s)]) == 1
            and s.sense.wordings("noun", self._held_out)
            and self._rng.random() < self._nested
        }
        clauses: list[_Clause] = []
        done: set[int] = set()
        for step in self._steps:
            if id(step) in embedded or id(step) in done:
                continue
            before = self._last
            clause = self._clause(step)
            clause.follows = before is not None and before in step.needs()
            # Steps that a modifier can say hang on to this one: "..., in French, out loud".
            top = step
            while (following := self._sole_user(top)) is not None and self._rng.random() < self._modified:
                tail = self._modifier(following)
                if tail is None:
                    break
                clause.text = _before_end(clause.text, tail)
                done.add(id(following))
                self._said.append(following)
                self._last = top = following
            clauses.append(clause)
        return clauses

    def _sole_user(self, step: Step) -> Step | None:
        users = self._users[id(step)]
        return users[0] if len(users) == 1 and users[0].piped is step else None

    def _modifier(self, step: Step) -> str | None:
        """The step as the tail of another step's wish; None if it has no such wording."""
        if any(slot not in ("language", "source") for slot in step.slots):
            return None
        after = step.sense.wordings("after", self._held_out)
        goal = step.sense.wordings("goal", self._held_out)
        if not after and not goal:
            return None
        if after and (not goal or self._rng.random() < 0.7):
            return self._rng.choice((" ", " ", ", ")) + self._slots(step, self._rng.choice(after))
        return self._rng.choice((" ", ", ")) + self._slots(step, self._rng.choice(goal))

    def _clause(self, step: Step) -> _Clause:
        rng = self._rng
        forms = [f for f in ("do", "do", "do", "noun", "noun", "ask") if step.sense.wordings(f, self._held_out)]
        form = rng.choice(forms)
        self._tail = ""
        text = self._said_of(step, rng.choice(step.sense.wordings(form, self._held_out)))
        self._said.append(step)
        self._last = step
        return _Clause(form, text, follows=False, tail=self._tail)

    def _said_of(self, step: Step, phrase: str) -> str:
        if isinstance(step.piped, Literal) and step.piped.fill == "passage" and not self._tail:
            taken = self._rng.choice(("the following text", "the text below", "this text", "this", "the passage below"))
            filled = phrase.replace("{in}", taken).replace("{In}", capitalised(taken))
            self._tail = step.piped.text
        else:
            filled = phrase
            if "{in}" in phrase or "{In}" in phrase:
                source = self._source(step.piped)
                filled = phrase.replace("{in}", source).replace("{In}", capitalised(source))
        return self._slots(step, filled)

    def _slots(self, step: Step, phrase: str) -> str:
        if "source" in step.slots:
            phrase = self._from_language(step.slots["source"], phrase)
        for slot, value in step.slots.items():
            if isinstance(value, Step):
                said = self._source(value)
            else:
                said = (
                    listed(value, self._rng) if slot == "labels" else kept(value[0]) if slot != "language" else value[0]
                )
            phrase = phrase.replace("{" + slot + "}", said).replace("{" + slot.capitalize() + "}", capitalised(said))
        return phrase

    def _from_language(self, languages: Step | list[str], phrase: str) -> str:
        """The phrase with the language that a translation is from, inside it or in a sentence of its own."""
        language = languages[0] if isinstance(languages, list) else ""
        way = self._rng.random()
        if way < 0.5 and "into {language}" in phrase:
            return phrase.replace("into {language}", f"from {language} into {{language}}")
        if way < 0.7 and "{language}" in phrase:
            return phrase.replace("{language}", f"{{language}} from {language}", 1)
        self._hint = self._rng.choice(self._bank.frames["language"]).replace("{source}", language)
        return phrase

    def _source(self, piped: Step | File | Literal | list[File]) -> str:
        rng = self._rng
        if isinstance(piped, File):
            return self._speaking.mention(piped)
        if isinstance(piped, list):
            return self._speaking.all_of(piped)
        if isinstance(piped, Literal):
            plain = piped.fill in ("prompt", "vprompt", "soundprompt", "write")
            if plain and rng.random() < 0.85:
                return kept(piped.text)
            return rng.choice(_QUOTES if '"' not in piped.text else ("“{}”", "«{}»")).format(kept(piped.text))
        if piped in self._said:
            return self._back(piped)
        said = self._said_of(piped, rng.choice(piped.sense.wordings("noun", self._held_out)))
        self._said.append(piped)
        return said

    def _back(self, step: Step) -> str:
        """Words that refer back to a result."""
        rng = self._rng
        name = rng.choice(step.sense.wordings("name", None) or ["result"])
        ways: tuple[str, ...]
        if step is self._last:
            ways = (
                "it",
                "it",
                "it",
                "that",
                "this",
                "the result",
                "the {}",
                "the {}",
                "that {}",
                "this {}",
                "the resulting {}",
            )
        else:
            ways = ("the {}", "the {}", "that {}", "the {} from before", "the earlier {}", "the {} you made")
        return rng.choice(ways).format(name)

    # Joining

    def _joined(self, clauses: list[_Clause]) -> str:
        rng = self._rng
        if len(clauses) == 1:
            return self._sentence(clauses[0], "wish")
        all_do = all(c.form == "do" and not c.tail for c in clauses)
        style = rng.random()
        if style < 0.13:
            return self._as_list(clauses)
        if all_do and style < 0.62 and len(clauses) <= 4:
            return self._in_one(clauses)
        return self._in_sentences(clauses)

    def _as_list(self, clauses: list[_Clause]) -> str:
        rng = self._rng
        mark = rng.choice(("{}. ", "{}) ", "- ", "* ", "Step {}: "))
        intro = rng.choice(
            ("Please do the following:", "To do:", "I need this done:", "Steps:", "Here is what I need:", "", "Tasks:")
        )
        between = rng.choice(("\n", "\n", " "))
        items = []
        for n, clause in enumerate(clauses, 1):
            text = clause.text + (f': "{kept(clause.tail)}"' if clause.tail else "")
            items.append(mark.format(n) + (capitalised(text) if rng.random() < 0.7 else text))
        return between.join([intro, *items] if intro else items)

    def _in_one(self, clauses: list[_Clause]) -> str:
        rng = self._rng
        text = clauses[0].text
        for clause in clauses[1:]:
            joint = (
                rng.choice(self._bank.frames["and"])
                if clause.follows
                else rng.choice((" and also", ", and", " and", ", also", " plus", "; separately,"))
            )
            text += f"{joint} {clause.text}" if joint[0] in ",; " else f" {joint} {clause.text}"
        return self._framed_wish("wish", "do", text)

    def _in_sentences(self, clauses: list[_Clause]) -> str:
        rng = self._rng
        ordered = rng.random() < 0.55
        said = []
        for n, clause in enumerate(clauses):
            if n == 0:
                frame = "first" if ordered and clause.form == "do" and rng.random() < 0.5 else "wish"
            elif clause.follows:
                frame = ("last" if n == len(clauses) - 1 and rng.random() < 0.5 else "next") if ordered else "wish"
            else:
                frame = "also"
            said.append(self._sentence(clause, frame))
        return " ".join(said)

    def _sentence(self, clause: _Clause, frame: str) -> str:
        rng = self._rng
        if clause.form == "ask":
            text = capitalised(clause.text)
            if frame in ("next", "last", "also") and rng.random() < 0.3:
                text = rng.choice(("And: ", "Then: ", "Next: ")) + text if frame != "also" else f"Also: {text}"
        else:
            text = self._framed_wish(frame, clause.form, clause.text)
        if clause.tail:
            quote = rng.choice(("{}", '"{}"', "“{}”")) if '"' not in clause.tail else "“{}”"
            between = rng.choice(("\n", "\n\n", " "))
            ended = text.rstrip(" .!?,;")
            text = f"{ended}:{between}{quote.format(kept(clause.tail))}" + rng.choice(("", "\n", "\n\n"))
        return text

    def _framed_wish(self, frame: str, form: str, text: str) -> str:
        if form == "noun":
            frame = "alsothing" if frame == "also" else "thing"
        template = self._rng.choice(self._bank.frames[frame])
        slot = "{noun}" if form == "noun" else "{do}"
        return template.replace(slot, text).replace(slot.replace(slot[1], slot[1].upper(), 1), capitalised(text))

    def _framed(self, lead: str, text: str) -> str:
        rng, frames = self._rng, self._bank.frames
        parts = [part for part in (lead, self._hint if rng.random() < 0.6 else "", text) if part]
        if self._hint and self._hint not in parts:
            parts.append(self._hint)
        if rng.random() < 0.2:
            parts.insert(0, rng.choice(frames["context"]))
        if rng.random() < 0.12:
            parts.insert(0, rng.choice(frames["opening"]))
        if rng.random() < 0.1:
            parts.append(rng.choice(frames["context"]))
        if rng.random() < 0.12:
            parts.append(rng.choice(frames["closing"]))
        framed = " ".join(parts)
        if rng.random() >= 0.25:
            return framed
        return with_decoy(framed, {kind for step in self._steps for kind in step.sense.kinds}, self._bank, rng)


def _before_end(text: str, tail: str) -> str:
    """The sentence with the tail inserted before its end mark."""
    ended = text.rstrip()
    if ended.endswith((".", "?", "!")) and not ended.endswith(CLOSE):
        return ended[:-1] + tail + ended[-1]
    return ended + tail
