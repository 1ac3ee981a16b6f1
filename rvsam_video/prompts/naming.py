"""Names of objects on the command line: `bee:320,240` in place of a number, and `--name 1=bee`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rvsam_video.errors import PromptError
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt, check_name, object_names

NAME_GRAMMAR = "OBJ=NAME, for example 1=bee"

_LETTER = r"[^\W\d_]"
# Two characters at least: C: begins the path of a file on Windows.
_NAMED = re.compile(rf"(?:^|(?<=\s))({_LETTER}[\w.-]+):(?=[^\\/\s])")
_NUMBERED = re.compile(r"(?:^|(?<=\s))([0-9]{1,3}):")


@dataclass(slots=True)
class Naming:
    """Which number each name stands for.

    Attributes:
        names: object id to name, as given.
    """

    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Iterable[str]) -> Naming:
        """Read all `--name` values.

        Raises:
            PromptError: naming what is not understood, and the grammar.
        """
        naming = cls()
        for text in given:
            number, equals, name = text.partition("=")
            if not equals or not number.strip().isdecimal() or len(number) > 10:
                msg = f"--name {text!r} is not understood; write {NAME_GRAMMAR}"
                raise PromptError(msg)
            key = int(number)
            if not 1 <= key <= MAX_OBJECT_ID or key in naming.names:
                why = "is given twice" if key in naming.names else f"is not 1 to {MAX_OBJECT_ID}"
                msg = f"--name {text!r}: the object {key} {why}; write {NAME_GRAMMAR}"
                raise PromptError(msg)
            check_name(name)
            naming.names[key] = name.strip()
        return naming

    def numbered(self, texts: Sequence[str]) -> list[str]:
        """Return words with a number in place of each name; a new name takes the lowest free one.

        Raises:
            PromptError: if there are more names than numbers.
        """
        used = {int(number) for text in texts for number in _NUMBERED.findall(text)}
        return [self._numbered(text, used) for text in texts]

    def _numbered(self, text: str, used: set[int]) -> str:
        # A file may be called so.
        if Path(text).exists():
            return text
        return _NAMED.sub(lambda match: f"{self._number(match[1], used)}:", text)

    def _number(self, name: str, used: set[int]) -> int:
        known = next((key for key, other in self.names.items() if other == name), None)
        if known is not None:
            return known
        check_name(name)
        free = (key for key in range(1, MAX_OBJECT_ID + 1) if key not in used | set(self.names))
        key = next(free, None)
        if key is None:
            msg = f"there is no number left for {name!r}; at most {MAX_OBJECT_ID} objects"
            raise PromptError(msg)
        self.names[key] = name
        return key

    def named(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """Return prompts with the names of their objects.

        Raises:
            PromptError: if a name is of an object that nothing is said of.
        """
        unknown = [key for key in self.names if all(item.object_id != key for item in prompts)]
        if unknown:
            msg = f"--name is given for object {unknown[0]}, but there is no prompt of it"
            raise PromptError(msg)
        # What is given here is what counts, also over the names in a prompt file.
        known: Mapping[int, str] = object_names(prompts) | self.names
        return [replace(item, name=known.get(item.object_id)) for item in prompts]
