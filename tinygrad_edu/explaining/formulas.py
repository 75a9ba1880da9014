# ruff: noqa: RUF001  (signs that look like letters are what this is about)
"""Formulas for terminals: LaTeX, as far as the operations are written in it, as a line of Unicode text.

What Unicode has no sign for becomes what a programmer would write: ``x_{n, t}`` is x[n, t], ``e^{a + b}`` is
e^(a + b), a fraction a/b.
"""

import re
import unicodedata
from collections.abc import Iterator

from ..errors import ArgumentError

__all__ = ["unicode_math"]

_WIDE = "\ue000"  # stands for a wide space until all others are counted

_SIGNS = {
    "cdot": "·",
    "circ": "∘",
    "infty": "∞",
    "partial": "∂",
    "top": "ᵀ",
    "ldots": "…",
    "times": "×",
    "sum": "Σ",
    "prod": "Π",
    "int": "∫",
    "le": "≤",
    "ge": "≥",
    "ne": "≠",
    "in": "∈",
    "ni": "∋",
    "land": "∧",
    "lor": "∨",
    "lnot": "¬",
    "oplus": "⊕",
    "sim": "~",
    "bmod": "mod",
    "to": "→",
    "langle": "⟨",
    "rangle": "⟩",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "epsilon": "ε",
    "lambda": "λ",
    "mu": "μ",
    "pi": "π",
    "sigma": "σ",
    "varphi": "φ",
    "psi": "ψ",
    "delta": "δ",
    "theta": "θ",
    "Gamma": "Γ",
    "Phi": "Φ",
    ",": " ",
    ";": " ",
    " ": " ",
    "!": "",
    "quad": _WIDE,
    "qquad": _WIDE,
    "left": "",
    "right": "",
    "Bigl": "",
    "Bigr": "",
    "bigl": "",
    "bigr": "",
    **{sign: sign for sign in ("{", "}", "_", "#", "&", "%", "$")},
}
# Commands that are their own name: "\ln x" is "ln x".
_WORDS = {"arccos", "arcsin", "arctan", "arg", "cos", "cosh", "det", "exp", "ln", "log", "max", "min", "sin",
          "sinh", "tan", "tanh"}  # fmt: skip
_WRAPPERS = {"operatorname", "text", "mathrm", "mathit", "mathbin", "mathrel", "mathord"}
_ACCENTS = {"bar": "\u0304", "hat": "\u0302"}

_DOWN = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_UP = dict(zip("0123456789+-=()abcdefghijklmnoprstuvwxyzT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ",
               strict=True))  # fmt: skip
_UP["ᵀ"] = "ᵀ"

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.")


def unicode_math(latex: str) -> str:
    r"""Write a formula as one line of text.

    Raises ArgumentError for a command that it doesn't know.

    >>> unicode_math(r"\bar{x}_1 = \bar{y}\, x_2, \quad \bar{X} = -Y^\top \bar{Y} Y^\top")
    'x̄₁ = ȳ x₂,   X̄ = -Yᵀ Ȳ Yᵀ'
    >>> unicode_math(r"y = \frac{1}{1 + e^{-x}}")
    'y = 1/(1 + e⁻ˣ)'
    """
    text = _Reader(latex).group()
    text = re.sub(rf" *{_WIDE} *", _WIDE, re.sub(r"\s+", " ", text)).replace(_WIDE, "   ").strip()
    text = re.sub(r"(?<=[(⌊⌈⟨]) | (?=[)⌋⌉⟩])", "", text)
    return unicodedata.normalize("NFC", text)


class _Reader:
    """Reads from left to right; a group in braces is read by a call of its own."""

    def __init__(self, latex: str) -> None:
        self.tokens = _TOKEN.findall(latex)
        self.at = 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def peek(self) -> str:
        """Return the next token that isn't space."""
        return next((t for t in self.tokens[self.at :] if not t.isspace()), "")

    def group(self) -> str:
        """Read to the end, or to the brace that closes this group."""
        parts: list[str] = []
        while (token := self.next()) not in ("", "}"):
            if token in "^_":
                parts.append(_raised(self.argument()) if token == "^" else _lowered(self.argument()))
            else:
                parts.append(self.sign(token))
        return "".join(parts)

    def argument(self) -> str:
        """Read one sign, or one group in braces."""
        while (token := self.next()).isspace():
            pass
        return self.group() if token == "{" else self.sign(token)

    def sign(self, token: str) -> str:
        if token == "{":
            return self.group()
        if not token.startswith("\\"):
            return token
        name = token[1:]
        if name in _SIGNS:
            return _SIGNS[name]
        if name in _WORDS:
            return name
        if name in _WRAPPERS:
            return self.argument()
        if name in _ACCENTS:
            return self.argument() + _ACCENTS[name]
        if name in ("frac", "tfrac"):
            text = f"{_bracketed(self.argument())}/{_bracketed(self.argument())}"
            alone = self.peek() in ("", "}", "+", "-", "=", ",", ")", "\\right", "\\quad", "\\cdot")
            return text if alone else f"({text})"
        if name == "sqrt":
            root = "√"
            if self.peek() == "[":
                index = ""
                while (token := self.next()) != "]":
                    index += token.strip("[")
                root = {"3": "∛", "4": "∜"}[index]
            return root + _bracketed(self.argument())
        raise ArgumentError(f"unicode_math: the command {token} isn't known")


def _lowered(text: str) -> str:
    close = text.replace(" ", "")
    if set(close) <= _DOWN.keys():
        return "".join(_in(_DOWN, close))
    text = text.strip()
    return f"[{text.replace(' ', ', ') if re.fullmatch(r'[a-z]( [a-z])+', text) else text}]"


def _raised(text: str) -> str:
    close = text.replace(" ", "")
    if set(close) <= _UP.keys():
        return "".join(_in(_UP, close))
    return f"^{text}" if len(text) == 1 else f"^({text.strip()})"


def _in(signs: dict[str, str], text: str) -> Iterator[str]:
    return (signs[c] for c in text)


def _bracketed(text: str) -> str:
    """Put brackets around what isn't a single thing."""
    text = text.strip()
    single = re.fullmatch(r"[√]?\w['\u0300-\u036f₀-ₜᵢⱼᵣᵤᵥ⁰-ⁿᵀ²³¹]*|\d+|[\w√]+\([^()]*\)|∞", text)
    return text if single else f"({text})"
