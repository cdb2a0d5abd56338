from manyfit.models.architecture import Architecture, Custom, Inputs
