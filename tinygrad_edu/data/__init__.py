"""Data sets, the files they come in, and batches of them.

Nothing here needs the tensor engine: everything takes and returns NumPy arrays.
"""

from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.data.idx import read_idx, write_idx
from tinygrad_edu.data.images import digits, mnist
from tinygrad_edu.data.loader import DataLoader
from tinygrad_edu.data.prepare import one_hot, train_test_split

__all__ = ["DataLoader", "Dataset", "digits", "mnist", "one_hot", "read_idx", "train_test_split", "write_idx"]
