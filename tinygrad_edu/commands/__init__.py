"""What the command line has besides training: each command in a file of its own.

Heavy imports belong into the commands, so that ``tinygrad-edu --help`` comes at once.
"""

from click import Command

from ..lesson.command import tutorial
from .data import data
from .explain import explain
from .explore import explore
from .graph import graph

__all__ = ["COMMANDS"]

COMMANDS: list[Command] = [data, explain, explore, graph, tutorial]
