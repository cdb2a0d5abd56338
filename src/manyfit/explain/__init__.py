"""What a prediction rests on."""

from manyfit.explain.features import hidden_features
from manyfit.explain.grad_cam import agreement, class_activation, class_activation_maps
from manyfit.explain.occlusion import occlusion

__all__ = ["agreement", "class_activation", "class_activation_maps", "hidden_features", "occlusion"]
