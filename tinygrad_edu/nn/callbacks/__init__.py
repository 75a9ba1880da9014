"""Callbacks: what ``fit`` calls at fixed points, so that things can be watched and decided from outside."""

from .base import Callback
from .best_weights import BestWeights
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .history import History
from .lambda_callback import LambdaCallback
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .model_checkpoint import ModelCheckpoint
from .monitor import Monitor, larger_is_better
from .nan import DIVERGED, TerminateOnNaN
from .tensorboard import TensorBoard

__all__ = [
    "DIVERGED",
    "BestWeights",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Monitor",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "larger_is_better",
]
