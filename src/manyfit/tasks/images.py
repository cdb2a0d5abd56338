"""Images as tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyfit.data.image_preprocess import ImagePreprocess
from manyfit.data.images import Images, ImageSchema
from manyfit.tasks.task import Kind, Task


@dataclass(frozen=True)
class ImageEncoder:
    """Images, by the size and the channels of the training images."""

    schema: ImageSchema

    def encode(self, rows: Any) -> dict[str, np.ndarray]:
        """Pixels; see ``ImageSchema.encode``."""
        return self.schema.encode(rows)

    def encode_target(self, rows: Any) -> np.ndarray:
        """The class of labelled images, by the training images' classes."""
        return self.schema.encode_target(rows)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able account."""
        return {"encoder": "images", "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ImageEncoder:
        """The encoder that ``to_json`` described."""
        return cls(ImageSchema.from_json(content["schema"]))


def image_task(images: Images, *, metric: str | None = None) -> Task:
    """The task of a set of images: uint8 on the device, normalised per fold."""
    classes = tuple(images.classes)
    kind: Kind = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    return Task(
        kind=kind,
        data={"inputs": {"pixels": images.pixels}, "target": images.target},
        rows=len(images),
        metric=metric,
        target=images.label or ("folder" if images.paths else "label"),
        classes=classes,
        preprocess=ImagePreprocess(),
        encoder=ImageEncoder(images.schema),
        about={
            "source": images.source,
            "kind": "images",
            "rows": len(images),
            "fingerprint": images.fingerprint,
            "summary": images.summary(),
            "columns": [],
            "warnings": list(images.warnings),
        },
    )
