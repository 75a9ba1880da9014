"""What is known of each set before it is opened: names, licence, source, whom to cite."""

from dataclasses import replace

from tinygrad_edu.data.dataset import About

__all__ = ["ABOUT"]

_MNIST = About(
    name="mnist",
    description="handwritten digits, 28x28 pixels",
    class_names=tuple("0123456789"),
    maximum=255,
    licence="CC BY-SA 3.0",
    source="Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits",
    citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-Based Learning Applied to Document "
    "Recognition, Proceedings of the IEEE 86(11), 1998, 2278-2324",
)
_FASHION = About(
    name="fashion_mnist",
    description="photos of clothes, 28x28 pixels",
    class_names=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    maximum=255,
    licence="MIT",
    source="Zalando Research, github.com/zalandoresearch/fashion-mnist",
    citation="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
    "Machine Learning Algorithms, 2017, arXiv:1708.07747",
)
_QM9 = About(
    name="qm9",
    description="small organic molecules as text, and the gap between their frontier orbitals in hartree",
    target_name="gap",
    licence="CC0 (QM9), MIT (the package qm9pack, which the files come from)",
    source="QM9, from qm9pack 1.0.3",
    citation="R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld, Quantum chemistry structures "
    "and properties of 134 kilo molecules, Scientific Data 1, 2014, 140022",
)
_WINE_COLUMNS = (
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
)
_SETS = (
    About(
        name="digits",
        description="handwritten digits, 8x8 pixels, 13 writers",
        class_names=tuple("0123456789"),
        maximum=16,
        licence="CC BY 4.0",
        source="UCI Machine Learning Repository: its test part, as in scikit-learn's load_digits",
        citation="E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998, "
        "doi:10.24432/C50P49",
    ),
    _MNIST,
    replace(
        _MNIST,
        name="mnist_5000",
        description="the first 5,000 training images of MNIST, handwritten digits, 28x28 pixels",
    ),
    _FASHION,
    replace(
        _FASHION,
        name="dresses_coats",
        description="the first dresses and coats of Fashion-MNIST (its classes 3 and 4), 28x28 pixels",
        class_names=("dress", "coat"),
    ),
    About(
        name="wine_quality",
        description="red Vinho Verde wines: eleven measurements, and the quality that tasters gave, 3 to 8",
        feature_names=_WINE_COLUMNS,
        target_name="quality",
        licence="CC BY 4.0, as the UCI repository lists it",
        source="UCI Machine Learning Repository, Wine Quality, winequality-red.csv",
        citation="P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, Modeling wine preferences by data "
        "mining from physicochemical properties, Decision Support Systems 47(4), 2009, 547-553",
    ),
    About(
        name="leukaemia",
        description="expression of genes in bone marrow or blood of leukaemia patients",
        class_names=("ALL", "AML"),
        licence="BSD (the package L1L2Signature, which the files come from)",
        source="the 38 training samples of Golub et al., from L1L2Signature 0.2.4",
        citation="T. R. Golub et al., Molecular Classification of Cancer: Class Discovery and Class "
        "Prediction by Gene Expression Monitoring, Science 286, 1999, 531-537",
    ),
    _QM9,
    replace(
        _QM9,
        name="molecules",
        description="10,000 molecules of QM9 as text, and the gap between their frontier orbitals in hartree",
        source="QM9, from qm9pack 1.0.3: those written in at most 17 characters of DeepSMILES",
    ),
    About(
        name="lesions",
        description="slices of five CT and MR scans with the outlines of lesions, 128x128 pixels",
        class_names=("background", "lesion"),
        target_name="mask",
        maximum=255,
        licence="BSD (PyRadiomics)",
        source="the sample cases of PyRadiomics 3.0.1 (lung1, lung2, brain1, brain2, breast1)",
        citation="J. J. M. van Griethuysen et al., Computational Radiomics System to Decode the Radiographic "
        "Phenotype, Cancer Research 77(21), 2017, e104-e107",
    ),
    About(
        name="breast_cancer",
        description="cell nuclei in breast tumours: thirty measurements of each sample",
        class_names=("malignant", "benign"),
        licence="CC BY 4.0",
        source="UCI Machine Learning Repository, Breast Cancer Wisconsin (Diagnostic), from scikit-learn",
        citation="W. H. Wolberg, O. L. Mangasarian, W. N. Street, Breast Cancer Wisconsin (Diagnostic), "
        "1995, doi:10.24432/C5DW2B",
    ),
    About(
        name="iris",
        description="three species of iris flowers, measured in cm",
        class_names=("setosa", "versicolor", "virginica"),
        target_name="species",
        licence="CC BY 4.0",
        source="UCI Machine Learning Repository, Iris, from scikit-learn",
        citation="R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics "
        "7(2), 1936, 179-188",
    ),
    About(
        name="diabetes",
        description="ten measurements of diabetes patients, and the disease's progression a year later",
        target_name="progression",
        licence="not stated by its authors; scikit-learn distributes it",
        source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, from scikit-learn, in its units",
        citation="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression, Annals of "
        "Statistics 32(2), 2004, 407-499",
    ),
)
ABOUT = {about.name: about for about in _SETS}
