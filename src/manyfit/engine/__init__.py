"""How many members train as one: knows nothing of models, losses or data formats."""

from manyfit.engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from manyfit.engine.folder import RunFolder
from manyfit.engine.member import Member, Rows
from manyfit.engine.objective import BaseObjective, Batch, Fold, Metric, Objective
from manyfit.engine.population import Hooks, Outcome, Population, Progress
from manyfit.engine.slots import PRUNED, Shape
from manyfit.engine.stored import Stored

__all__ = [
    "PRUNED",
    "BaseObjective",
    "Batch",
    "Checkpoint",
    "Fold",
    "Hooks",
    "Member",
    "Metric",
    "Objective",
    "Outcome",
    "Population",
    "Progress",
    "Rows",
    "RunFolder",
    "Shape",
    "Stored",
    "load_checkpoint",
    "save_checkpoint",
]
