"""The free text of trial records without its markup: HTML tags, entities, escapes and stray characters."""

import html
import re
import unicodedata

# Known tags only: "<18 years", "</= 50" and "<yes or no>" are what the authors wrote.
_ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*/?"""
_BLOCK = "p|br|div|ul|ol|li|table|thead|tbody|tr|td|th|h[1-6]|hr|blockquote|pre|dl|dt|dd"
_INLINE = "b|i|u|em|strong|span|font|a|small|big|sub|code|img"
_INVISIBLE_ELEMENT = re.compile(rf"<(script|style){_ATTRIBUTES}>.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK}){_ATTRIBUTES}>", re.IGNORECASE)
_SUPERSCRIPT = re.compile(rf"<sup{_ATTRIBUTES}>", re.IGNORECASE)
_INLINE_TAG = re.compile(rf"</?(?:{_INLINE}){_ATTRIBUTES}>|</sup\s*>", re.IGNORECASE)
# ClinicalTrials.gov writes Markdown's special characters with a backslash: "\>= 50", "\[68Ga\]", "1\. Adults".
_ESCAPED = re.compile(r"\\([<>\[\]()*^~_#+\-.|={}!`\\])")
# Not the zero-width joiners, which other scripts than ours need, nor private characters, which may stand for µ or ≥.
_STRAY = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_LINE_BREAKS = re.compile(r"\n{3,}")
_SYMBOLS = re.compile(r"[\[\]{}():@#$%^&*]")


def clean_text(text: str, strip_symbols: bool = False) -> str:
    """One free-text field without markup.

    HTML entities become their characters; known tags go, those that begin a line with a line break, and a
    superscript as "^" ("10<sup>9</sup>" is "10^9"); backslash escapes, control characters and soft hyphens go;
    spaces become single ones and more than one empty line becomes one. What looks like a tag and is none stays:
    "<18 years". Characters are composed (Unicode NFC).

    `strip_symbols`: also remove brackets, colons and `@#$%^&*`, as was done for a published model of trial texts. It
    makes "75 %" a bare number and "10^9" another one.
    """
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _INVISIBLE_ELEMENT.sub(" ", text)
        text = _SUPERSCRIPT.sub("^", _BLOCK_TAG.sub("\n", text))
        text = _INLINE_TAG.sub("", text)
    if "\\" in text:
        text = _ESCAPED.sub(r"\1", text)
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _STRAY.sub("", text)
    if strip_symbols:
        text = _SYMBOLS.sub("", text)
    lines = (line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return _LINE_BREAKS.sub("\n\n", "\n".join(lines)).strip()
