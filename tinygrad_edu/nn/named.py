"""Things that are asked for by name: initialisers, regularisers, constraints, losses, metrics, optimizers."""

import re
from collections.abc import Mapping
from functools import cache
from inspect import signature
from typing import Any, ClassVar, Self

from ..errors import ArgumentError, unknown_name

__all__ = ["Named", "class_name", "register_class", "snake_case"]


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
            register_class(cls.classes, cls.__name__, cls)

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
        found = cls.classes.get(identifier) if isinstance(identifier, str) else None
        if found is None:
            known = {cls.spelled(name): member for name, member in cls.classes.items()}
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
        return {"class": class_name(self.classes, type(self)), "config": self.get_config()}


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


def register_class(classes: dict[str, Any], name: str, cls: type) -> None:
    """Enter a class under its name; one of a user's doesn't take the place of one of ours."""
    ours = "tinygrad_edu."
    if name in classes and classes[name].__module__.startswith(ours) and not cls.__module__.startswith(ours):
        name = f"{cls.__module__}:{name}"
    classes[name] = cls


def class_name(classes: dict[str, Any], cls: type) -> str:
    """Return the name that a class is registered by."""
    return next((name for name, known in classes.items() if known is cls), cls.__name__)


@cache
def snake_case(name: str) -> str:
    """Return the name of an object from the name of its class, as Keras does.

    >>> snake_case("Conv2D"), snake_case("MaxPooling2D"), snake_case("ReLU")
    ('conv2d', 'max_pooling2d', 're_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
