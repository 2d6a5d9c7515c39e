"""The gradient at every time step of any Keras model, in one call or at intervals during fit."""

from rnnexp.diagnosis.keras_models.cells import jacobian, lyapunov
from rnnexp.diagnosis.keras_models.floors import floors
from rnnexp.diagnosis.keras_models.gradient_flow import gradient_flow
from rnnexp.diagnosis.keras_models.monitor import Batches, Epochs, GradientFlowMonitor
from rnnexp.diagnosis.keras_models.result import GradientFlow, StateFlow
from rnnexp.diagnosis.keras_models.sensitivity import sensitivity
from rnnexp.diagnosis.keras_models.writers import CsvWriter, MlflowWriter, TensorBoardWriter

__all__ = [
    "Batches",
    "CsvWriter",
    "Epochs",
    "GradientFlow",
    "GradientFlowMonitor",
    "MlflowWriter",
    "StateFlow",
    "TensorBoardWriter",
    "floors",
    "gradient_flow",
    "jacobian",
    "lyapunov",
    "sensitivity",
]
