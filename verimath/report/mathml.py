"""TeX to MathML, through Temml in an embedded JavaScript interpreter.

The page must never show mathematics that isn't what the TeX says, nor markup that the TeX smuggled
in. So Temml runs strictly, what it returns is parsed and held against a list of what MathML may
contain, and whatever fails either test is shown as its TeX source.
"""

import re
import threading
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final
from xml.etree import ElementTree

from dukpy import JSInterpreter, JSRuntimeError

# Presentation MathML as Temml writes it. No <a>, no <mglyph>, no <maction>: nothing that leads
# anywhere, loads anything or acts.
_ELEMENTS: Final = frozenset(
    """annotation math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts
    mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none
    semantics""".split()  # noqa: SIM905 - a list of words reads as one
)
_ATTRIBUTES: Final = frozenset(
    """accent accentunder class columnalign columnlines columnspacing columnspan depth display
    displaystyle encoding fence form height largeop linebreak linethickness lspace mathbackground
    mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing
    rowspan rspace scriptlevel separator side stretchy style symmetric voffset
    width""".split()  # noqa: SIM905
)
_HARMLESS_STYLE: Final = re.compile(
    r"(?!.*(?:position|url))[\w\s.,:;#%()+-]*", re.ASCII | re.DOTALL
)
# One formula of a page that a person reads is far shorter; longer ones are shown as source.
_LONGEST: Final = 20_000
_RENDER: Final = """temml.renderToString(dukpy.tex, {
    displayMode: dukpy.display, throwOnError: true, strict: true, trust: false, annotate: true
})"""

# The interpreter is one C structure: two threads in it at once would corrupt it.
_lock = threading.Lock()


def to_mathml(tex: str, *, display: bool) -> str:
    """Markup that shows `tex`: a <math> element, or the escaped source in <code> if Temml objects.

    The result is safe to put into a page as it is. `display` asks for displayed mathematics rather
    than mathematics within a line. Raises nothing for bad TeX, however bad.
    """
    if not tex.strip() or len(tex) > _LONGEST:
        return _source(tex)
    try:
        with _lock:
            markup = _temml().evaljs(_RENDER, tex=tex, display=display)
    except (JSRuntimeError, UnicodeError):
        return _source(tex)
    return markup if isinstance(markup, str) and _is_safe(markup) else _source(tex)


@cache
def _temml() -> JSInterpreter:
    """The interpreter with Temml loaded: about 20 ms, once per process."""
    interpreter = JSInterpreter()
    script = files("verimath.report").joinpath("vendor", "temml.min.js").read_text("utf-8")
    interpreter.evaljs(script + "; null")  # without null, dukpy would turn the library into JSON
    return interpreter


def _is_safe(markup: str) -> bool:
    """Whether `markup` is well-formed MathML and nothing else."""
    try:
        root = ElementTree.fromstring(markup)  # noqa: S314 - Temml declares no entities
    except ElementTree.ParseError:
        return False
    return root.tag == "math" and all(
        element.tag in _ELEMENTS
        and element.attrib.keys() <= _ATTRIBUTES
        and _HARMLESS_STYLE.fullmatch(element.get("style", "")) is not None
        for element in root.iter()
    )


def _source(tex: str) -> str:
    """The TeX itself; lone surrogates, which no file can hold, as escapes."""
    printable = tex.encode("utf-8", "backslashreplace").decode("utf-8")
    return f'<code class="tex">{escape(printable)}</code>'
