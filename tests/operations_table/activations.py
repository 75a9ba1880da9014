"""Rows of activation functions and special functions."""

from operations_table.row import Row

ROWS: dict[str, Row] = {}
