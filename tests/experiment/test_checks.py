"""What a summary says of calibration, labels and twins."""

import json

import numpy as np

from manyfit.engine.folder import plain
from manyfit.evaluate import Twins
from manyfit.experiment.checks import checks_of


def predictions(rows, repeats, seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.05, 0.95, rows)
    target = (rng.random(rows) < truth).astype(np.int32)
    row = np.concatenate([rng.permutation(rows) for _ in range(repeats)]).astype(np.int32)
    p = truth[row]
    return {
        "row": row,
        "fold": np.arange(len(row), dtype=np.int32) % 4,
        "target": target[row],
        "output": np.stack([1 - p, p], axis=1).astype(np.float32),
    }


def test_a_flipped_label_is_named_once_whatever_the_repeats():
    found = predictions(200, 3, 0)
    sure = int(found["row"][np.argmin(found["output"][:, 1])])
    here = found["row"] == sure
    found["output"][here] = [0.999, 0.001]
    found["target"][here] = 1
    checks = checks_of(found, ("no", "yes"), Twins(200, 3, 1))
    first = checks["label_suspects"]["first"]
    assert first[0]["row"] == sure and (first[0]["label"], first[0]["likelier"]) == ("yes", "no")
    assert len({one["row"] for one in first}) == len(first) <= checks["label_suspects"]["count"]
    assert checks["twins"] == {"rows": 200, "leaked": 3, "contradicted": 1}
    assert set(checks["calibration"]["ece"]) == {"none", "temperature", "isotonic"}
    assert json.loads(json.dumps(plain(checks))) == checks  # it is JSON as it stands


def test_what_cannot_be_looked_at_is_left_out():
    found = predictions(50, 1, 1)
    assert checks_of(found, (), None) == {}
    assert checks_of(None, ("no", "yes"), None) == {}
    found["output"][:] = np.nan
    assert checks_of(found, ("no", "yes"), None) == {}
