"""Things that are asked for by name: initialisers, regularisers, constraints, losses, metrics, optimizers."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from inspect import signature
from typing import Any, ClassVar, Self

from ..errors import ArgumentError, unknown_name

__all__ = [
    "FUNCTIONS", "Named", "class_name", "custom_object_scope", "find_class", "register_class", "snake_case"
]  # fmt: skip

FUNCTIONS: dict[str, Any] = {}  # of users, which may be named in files


class Named:
    """The base of each such family: its classes are found by name, described for a file, and built again.

    >>> from tinygrad_edu import nn
    >>> nn.initializers.get("he_normal").describe()
    {'class': 'HeNormal', 'config': {'seed': None}}
    """

    kind: ClassVar[str]  # what errors call a member of the family
    classes: ClassVar[dict[str, type[Any]]]
    aliases: ClassVar[Mapping[str, str]] = {}  # short names

    @staticmethod
    def spelled(name: str) -> str:
        """Return how a class' name is written as a text."""
        return snake_case(name)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if Named in cls.__bases__:
            cls.classes = {}
        elif not cls.__name__.startswith("_"):
            register_class(cls.classes, cls)

    @classmethod
    def find(cls, identifier: Any) -> Any:
        """Return the member for a name, in snake case or as the class is called, a description, or itself.

        Raises ArgumentError for an unknown name, arguments that don't fit, and a class that isn't called.
        """
        if isinstance(identifier, cls):
            return identifier
        if isinstance(identifier, type) and issubclass(identifier, cls):
            raise ArgumentError(
                f"{cls.kind}: {identifier.__name__} is a class; write {identifier.__name__}()"
            )
        config: Any = {}
        if isinstance(identifier, dict):
            identifier, config = identifier.get("class"), identifier.get("config", {})
        found = find_class(cls.classes, identifier)
        if found is None:
            known = {cls.spelled(name): member for name, member in cls.classes.items() if ":" not in name}
            name = cls.spelled(str(identifier))
            found = known.get(cls.aliases.get(name, name))
            if found is None:
                raise unknown_name(cls.kind, identifier, [*known, *cls.aliases])
        try:
            return found.from_config(dict(config))
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"{cls.kind} {found.__name__}: {error}") from None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the object that ``get_config`` described."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, which are attributes of the same names."""
        missing = [name for name in arguments_of(type(self)) if not hasattr(self, name)]
        if missing:
            raise ArgumentError(
                f"{self.kind} {type(self).__name__}: its argument {missing[0]!r} is no attribute; keep it as "
                f"self.{missing[0]}, or write get_config"
            )
        return {name: getattr(self, name) for name in arguments_of(type(self))}

    def describe(self) -> dict[str, Any]:
        """Return what ``find`` builds again."""
        return {"class": class_name(type(self)), "config": self.get_config()}


def arguments_of(cls: type) -> tuple[str, ...]:
    """Return the names of a constructor's arguments; ``**options`` stand for those of the class above.

    >>> from tinygrad_edu import nn
    >>> arguments_of(nn.losses.Huber)
    ('delta', 'reduction', 'name', 'dtype')
    """
    names: list[str] = []
    for base in cls.__mro__[:-1]:
        if "__init__" in vars(base):
            own = list(signature(vars(base)["__init__"]).parameters.values())[1:]
            names += [p.name for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
            if all(p.kind is not p.VAR_KEYWORD for p in own):
                break
    return tuple(dict.fromkeys(names))


def register_class(classes: dict[str, Any], cls: type) -> None:
    """Enter a class under its name, and one of a user's under its module's too.

    A user's class takes the place of an earlier one of that name, but never of one of ours.
    """
    if not _is_ours(cls):
        classes[class_name(cls)] = cls
    if _is_ours(cls) or not _is_ours(classes.get(cls.__name__)):
        classes[cls.__name__] = cls


def class_name(cls: type) -> str:
    """Return what a class is called in a file: "Dense" if it is ours, else "module:Dense"."""
    return cls.__name__ if _is_ours(cls) else f"{cls.__module__}:{cls.__name__}"


def find_class(classes: Mapping[str, Any], name: Any) -> Any:
    """Return the class of a name in a file, or None; a user's may be in another module by now."""
    if not isinstance(name, str) or name in classes:
        return classes.get(name) if isinstance(name, str) else None
    found = classes.get(name.rpartition(":")[2])
    return None if _is_ours(found) else found


def _is_ours(cls: Any) -> bool:
    return cls is not None and cls.__module__.startswith("tinygrad_edu.")


@contextmanager
def custom_object_scope(objects: Mapping[str, Any]) -> Iterator[None]:
    """Let classes and functions be found by other names, or in others' places, for a ``with`` block.

    Raises ArgumentError for what no file can name.
    """
    before: list[tuple[dict[str, Any], dict[str, Any]]] = []
    try:
        for name, value in objects.items():
            known = getattr(value, "classes", None) if isinstance(value, type) else FUNCTIONS
            if not isinstance(known, dict) or not callable(value):
                raise ArgumentError(f"custom_objects: expected classes of layers and the like, got {value!r}")
            before.append((known, dict(known)))
            known.update({key: value for key in (name, *known) if key.rpartition(":")[2] == name})
        yield
    finally:
        for known, kept in reversed(before):
            known.clear()
            known.update(kept)


def serialize(member: Named | None) -> dict[str, Any] | None:
    """Return what ``get`` builds again; None is none.

    >>> from tinygrad_edu import nn
    >>> nn.regularizers.serialize(nn.regularizers.L2(0.1))
    {'class': 'L2', 'config': {'l2': 0.1}}
    """
    return None if member is None else member.describe()


@cache
def snake_case(name: str) -> str:
    """Return the name of an object from the name of its class, as Keras does.

    >>> snake_case("Conv2D"), snake_case("MaxPooling2D"), snake_case("ReLU")
    ('conv2d', 'max_pooling2d', 're_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
