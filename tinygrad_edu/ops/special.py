"""Special functions of statistics: the error function, the gamma function's logarithm and its derivatives."""

__all__: list[str] = []
