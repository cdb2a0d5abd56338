"""Images in a page: a PNG encoder of twenty lines, and heat over an image."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from markupsafe import Markup

_HEAT = np.array([[30, 60, 160], [80, 190, 200], [250, 220, 70], [220, 50, 30]], np.float64)
"""From no heat to all of it."""


def png(pixels: np.ndarray) -> bytes:
    """An 8-bit PNG of ``(H, W, 3)`` uint8 (ISO/IEC 15948)."""
    height, width, _ = pixels.shape
    raw = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1).tobytes()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def image(pixels: np.ndarray, label: str) -> Markup:
    """An ``<img>`` that holds its own pixels, enlarged without smoothing where it is small."""
    address = "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")
    return Markup('<img class="example" src="{}" alt="{}">').format(address, label)


def colours(pixels: np.ndarray) -> np.ndarray:
    """``(H, W, 1 or 3)`` uint8 as ``(H, W, 3)``."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def heated(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The image in grey with the heat ``(H, W)`` uint8 laid over it, more opaque the greater it is."""
    part = heat.astype(np.float64) / 255.0
    place = part * (len(_HEAT) - 1)
    low = np.minimum(place.astype(int), len(_HEAT) - 2)
    colour = _HEAT[low] + (place - low)[..., None] * (_HEAT[low + 1] - _HEAT[low])
    grey = colours(pixels).mean(axis=2, keepdims=True)
    cover = (0.15 + 0.6 * part)[..., None]
    return np.clip(np.round((1 - cover) * grey + cover * colour), 0, 255).astype(np.uint8)
