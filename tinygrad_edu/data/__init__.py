"""Data sets, the files they come in, and batches of them.

Nothing here needs the tensor engine: everything takes and returns NumPy arrays.
"""

from tinygrad_edu.data.augment import (
    Augmentation,
    RandomBrightness,
    RandomCrop,
    RandomFlip,
    RandomNoise,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from tinygrad_edu.data.balance import class_weights, downsample, smote, upsample
from tinygrad_edu.data.dataset import About, Dataset
from tinygrad_edu.data.fetching import fetch
from tinygrad_edu.data.folds import k_fold, leave_one_out
from tinygrad_edu.data.idx import read_idx, write_idx
from tinygrad_edu.data.images import digits, dresses_coats, lesions, mnist_5000
from tinygrad_edu.data.loader import DataLoader
from tinygrad_edu.data.makers import blobs, circles, four_blobs, linear, moons, sinusoid, spirals
from tinygrad_edu.data.mnist_files import fashion_mnist, mnist
from tinygrad_edu.data.molecules import molecules, qm9
from tinygrad_edu.data.npy import read_npy
from tinygrad_edu.data.phantoms import phantoms
from tinygrad_edu.data.prepare import one_hot, train_test_split, train_validation_test_split
from tinygrad_edu.data.scaling import min_max_scale, standardize
from tinygrad_edu.data.smiles import (
    check_smiles,
    decode_strings,
    encode_strings,
    is_molecule,
    to_deepsmiles,
    to_smiles,
)
from tinygrad_edu.data.tables import read_csv
from tinygrad_edu.data.tabular import breast_cancer, diabetes, iris, leukaemia, wine_quality
from tinygrad_edu.data.warp import warp

__all__ = [
    "About",
    "Augmentation",
    "DataLoader",
    "Dataset",
    "RandomBrightness",
    "RandomCrop",
    "RandomFlip",
    "RandomNoise",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "blobs",
    "breast_cancer",
    "check_smiles",
    "circles",
    "class_weights",
    "decode_strings",
    "diabetes",
    "digits",
    "downsample",
    "dresses_coats",
    "encode_strings",
    "fashion_mnist",
    "fetch",
    "four_blobs",
    "iris",
    "is_molecule",
    "k_fold",
    "leave_one_out",
    "lesions",
    "leukaemia",
    "linear",
    "min_max_scale",
    "mnist",
    "mnist_5000",
    "molecules",
    "moons",
    "one_hot",
    "phantoms",
    "qm9",
    "read_csv",
    "read_idx",
    "read_npy",
    "sinusoid",
    "smote",
    "spirals",
    "standardize",
    "to_deepsmiles",
    "to_smiles",
    "train_test_split",
    "train_validation_test_split",
    "upsample",
    "warp",
    "wine_quality",
    "write_idx",
]
