"""Settings of a part from words: `NAME=VALUE` becomes a field of its settings dataclass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rvsam_video.errors import UsageError, unknown_name

Words = tuple[tuple[str, str], ...]
"""Names and values as they were typed, in order."""

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Option:
    """A setting that can be given as words.

    Attributes:
        name: of the field.
        kind: what its values look like, for people.
        default: its value unless told otherwise.
    """

    name: str
    kind: str
    default: object


def options_of(defaults: object | None) -> list[Option]:
    """Return the settings that can be given as words.

    Args:
        defaults: an instance of a settings dataclass; None has no settings. Fields of other
            kinds than numbers, words, yes and no are left to Python.
    """
    if defaults is None or not is_dataclass(defaults):
        return []
    hints = get_type_hints(type(defaults))
    return [
        Option(item.name, kind, getattr(defaults, item.name))
        for item in fields(defaults)
        if (kind := _kind(hints[item.name])) is not None
    ]


def words_of(texts: Iterable[str], option: str) -> Words:
    """Split texts of the form NAME=VALUE.

    Args:
        texts: as they were typed.
        option: that they were typed after, for messages.

    Raises:
        UsageError: if one has another form.
    """
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"{option} is {text!r}; write NAME=VALUE")
        pairs.append((name.strip().replace("-", "_"), value.strip()))
    return tuple(pairs)


def changed(defaults: object | None, words: Words, part: str) -> Any:  # noqa: ANN401
    """Return settings with some values changed by words; of the type of the defaults.

    Args:
        defaults: an instance of a settings dataclass, or None for a part without settings.
        words: names and values.
        part: whose settings they are, for messages.

    Raises:
        UsageError: if there is no such setting, or a value is of another kind.
    """
    if not words:
        return defaults
    known = {option.name: option for option in options_of(defaults)}
    if not known or defaults is None:
        raise UsageError(f"{part} has no settings, so {words[0][0]!r} cannot be set")
    hints = get_type_hints(type(defaults))
    values = {}
    for name, text in words:
        if name not in known:
            raise unknown_name(f"setting of {part}", name, known)
        try:
            values[name] = _value(hints[name], text)
        except ValueError as error:
            msg = f"{name} of {part} is {text!r}; it must be {known[name].kind}"
            raise UsageError(msg) from error
    return replace(defaults, **values)  # type: ignore[type-var]


def _choices(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Return the kinds that a hint admits, None left out."""
    if get_origin(hint) is UnionType:
        return tuple(item for item in get_args(hint) if item is not NoneType)
    return (hint,)


def _kind(hint: Any) -> str | None:  # noqa: ANN401
    kinds = {int: "a whole number", float: "a number", bool: "yes or no", str: "a word"}
    choices = _choices(hint)
    if len(choices) != 1:
        return None
    if get_origin(choices[0]) is Literal:
        kind = f"one of: {', '.join(map(str, get_args(choices[0])))}"
    elif choices[0] in kinds:
        kind = kinds[choices[0]]
    else:
        return None
    return f"{kind}, or none" if choices[0] is not hint else kind


def _value(hint: Any, text: str) -> object:  # noqa: ANN401
    (kind,) = _choices(hint)
    if kind is not hint and text.lower() == "none":
        return None
    if kind is bool:
        return _yes_or_no(text)
    if get_origin(kind) is Literal:
        named = {str(choice): choice for choice in get_args(kind)}
        if text not in named:
            raise ValueError(text)
        return named[text]
    return kind(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(text)
    return text.lower() in _TRUE
