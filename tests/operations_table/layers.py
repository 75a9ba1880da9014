"""Rows of normalisation, embedding and attention."""

from operations_table.row import Row

ROWS: dict[str, Row] = {}
