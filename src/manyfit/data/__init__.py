"""Data sets, from files and frames to arrays, and what is learned of them per fold."""

from manyfit.data.image_preprocess import ImagePreprocess
from manyfit.data.images import Images, ImageSchema
from manyfit.data.images import read as read_images
from manyfit.data.preprocess import TablePreprocess
from manyfit.data.schema import Schema
from manyfit.data.series_preprocess import SeriesPreprocess
from manyfit.data.series_sets import SeriesSchema, SeriesSet
from manyfit.data.series_sets import read as read_series
from manyfit.data.table import Table
from manyfit.data.table import read as read_table
from manyfit.data.tag_preprocess import TagPreprocess
from manyfit.data.tag_schema import TagSchema
from manyfit.data.tagged import Tagged
from manyfit.data.tagged import read as read_tagged
from manyfit.data.text_preprocess import TextAndTablePreprocess, TextPreprocess
from manyfit.data.texts import Texts, TextSchema
from manyfit.data.texts import read as read_texts
from manyfit.data.tokenizers import learn as learn_tokenizer
from manyfit.data.unlabelled import Intensities, Vectors

__all__ = [
    "ImagePreprocess",
    "ImageSchema",
    "Images",
    "Intensities",
    "Schema",
    "SeriesPreprocess",
    "SeriesSchema",
    "SeriesSet",
    "Table",
    "TablePreprocess",
    "TagPreprocess",
    "TagSchema",
    "Tagged",
    "TextAndTablePreprocess",
    "TextPreprocess",
    "TextSchema",
    "Texts",
    "Vectors",
    "learn_tokenizer",
    "read_images",
    "read_series",
    "read_table",
    "read_tagged",
    "read_texts",
]
