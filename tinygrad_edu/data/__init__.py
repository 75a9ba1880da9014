"""Data sets, the files they come in, and batches of them.

Nothing here needs the tensor engine: everything takes and returns NumPy arrays.
"""

from tinygrad_edu.data.balance import class_weights, downsample, smote, upsample
from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.folds import k_fold, leave_one_out
from tinygrad_edu.data.idx import read_idx, write_idx
from tinygrad_edu.data.images import digits, mnist
from tinygrad_edu.data.loader import DataLoader
from tinygrad_edu.data.prepare import one_hot, train_test_split, train_validation_test_split
from tinygrad_edu.data.scaling import min_max_scale, standardize

__all__ = [
    "DataLoader",
    "Dataset",
    "class_weights",
    "digits",
    "downsample",
    "k_fold",
    "leave_one_out",
    "min_max_scale",
    "mnist",
    "one_hot",
    "read_idx",
    "smote",
    "standardize",
    "train_test_split",
    "train_validation_test_split",
    "upsample",
    "write_idx",
]
