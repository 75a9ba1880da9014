"""Formulas for a web page: LaTeX, as the operations carry it, to MathML, which browsers draw by themselves.

The package latex2mathml does it. It doesn't know all the names of functions, and sets some of them
without room beside them; so all of them are written as ``\\operatorname`` before.
"""

import re
from functools import cache
from xml.etree import ElementTree

__all__ = ["mathml"]

_FUNCTIONS = ["arg", "arccos", "arcsin", "arctan", "cos", "cosh", "det", "ln", "log", "max", "min"]
_FUNCTIONS += ["sin", "sinh", "tan", "tanh"]
_FUNCTION = re.compile(rf"\\({'|'.join(sorted(_FUNCTIONS, key=len, reverse=True))})(?![A-Za-z])")
_LETTERLESS = re.compile(r"\\operatorname\{((?:[^{}\\]|\\_)*?(?:\\_|\d)(?:[^{}\\]|\\_)*?)\}")
_ELEMENTS = re.compile(
    "math|mfenced|mfrac|mi|mn|mo|mover|mpadded|mphantom|mroot|mrow|mspace|msqrt|mstyle|msub|msubsup|msup|mtable|"
    "mtd|mtext|mtr|munder|munderover"
)
# How things look; no style, which the page's policy forbids, and no links.
_ATTRIBUTES = re.compile(
    "accent|columnalign|display|displaystyle|fence|form|largeop|linethickness|lspace|mathvariant|maxsize|minsize|"
    "movablelimits|rspace|scriptlevel|separator|stretchy|symmetric|width"
)
_NAMESPACE = "http://www.w3.org/1998/Math/MathML"


def mathml(latex: str) -> list[str] | None:
    r"""Convert a formula to <math> elements, one for each part that ``\quad`` sets apart.

    Returns None where its LaTeX isn't understood.

    >>> len(mathml(r"y = x^2, \quad z = y"))
    2
    """
    lines = [_convert(part) for part in _parts(latex)]
    return None if None in lines else [line for line in lines if line is not None]


def _parts(latex: str) -> list[str]:
    r"""Cut a formula at each ``\quad`` that stands outside of all braces."""
    found, depth = [""], 0
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", latex, re.DOTALL):
        if token == r"\quad" and depth == 0:
            found.append("")
            continue
        depth += (token == "{") - (token == "}")
        found[-1] += token
    return [part.strip() for part in found if part.strip()]


@cache
def _convert(latex: str) -> str | None:
    from latex2mathml.converter import convert

    # A name with a digit or an underscore, such as conv2d, is set as text: it would be taken for a product.
    latex = _LETTERLESS.sub(lambda m: rf"\text{{{m[1].replace(chr(92) + '_', '_')}}}", latex)
    latex = _FUNCTION.sub(r"\\operatorname{\1}", latex)
    try:
        root = ElementTree.fromstring(convert(latex, display="block"))
    except Exception:  # whatever a formula of a user's own runs into, the page shows its source instead
        return None
    if any("\\" in (element.text or "") for element in root.iter()):
        return None  # a command that was passed on as it is
    if not all(_ELEMENTS.fullmatch(element.tag.removeprefix(f"{{{_NAMESPACE}}}")) for element in root.iter()):
        return None  # text that looked like markup became some
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        for name in list(element.attrib):
            if not _ATTRIBUTES.fullmatch(name):
                del element.attrib[name]
    root.set("xmlns", _NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")
