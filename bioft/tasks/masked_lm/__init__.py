"""Masked-language-model adaptation of an encoder to a kind of text."""
