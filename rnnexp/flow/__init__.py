"""The gradient at every time step of anybody's Keras model, in one call or at intervals during fit."""

from rnnexp.flow.diagnosis import gradient_flow
from rnnexp.flow.monitor import Batches, Epochs, GradientFlowMonitor
from rnnexp.flow.result import GradientFlow, StateFlow
from rnnexp.flow.writers import CsvWriter, MlflowWriter, TensorBoardWriter

__all__ = [
    "Batches",
    "CsvWriter",
    "Epochs",
    "GradientFlow",
    "GradientFlowMonitor",
    "MlflowWriter",
    "StateFlow",
    "TensorBoardWriter",
    "gradient_flow",
]
