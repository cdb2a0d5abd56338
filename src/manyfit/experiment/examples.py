"""A few examples of what a network answers: images, texts, series, labelled words, kept in the run folder."""

from __future__ import annotations

from manyfit.engine import RunFolder
from manyfit.experiment import generation, tag_examples, text_examples, translation
from manyfit.experiment.image_examples import write_images
from manyfit.experiment.result import Result
from manyfit.experiment.series_examples import write_series
from manyfit.tasks.task import Task


def write_examples(folder: RunFolder, task: Task, result: Result) -> None:
    """The file of examples that suits the task; none where there is nothing to point at."""
    kind = task.about.get("kind")
    if kind == "corpus":
        folder.write(generation.NAME, generation.samples_json(result).encode())
    elif kind == "texts":
        folder.write(text_examples.NAME, text_examples.texts_json(task, result).encode())
    elif task.kind == "tagging":
        folder.write(tag_examples.NAME, tag_examples.tags_json(task, result).encode())
    elif kind == "pairs":
        folder.write(translation.NAME, translation.translations_json(result, task).encode())
    elif kind == "labelled series":
        write_series(folder, task, result)
    else:
        write_images(folder, task, result)
