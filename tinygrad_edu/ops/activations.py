"""The activation functions of networks, element by element."""

__all__: list[str] = []
