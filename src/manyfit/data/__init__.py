"""Data sets, from files and frames to arrays, and what is learned of them per fold."""

from manyfit.data.preprocess import TablePreprocess
from manyfit.data.schema import Schema
from manyfit.data.table import Table
from manyfit.data.table import read as read_table

__all__ = ["Schema", "Table", "TablePreprocess", "read_table"]
