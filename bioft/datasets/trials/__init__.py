"""Records of ClinicalTrials.gov: download, reading, texts and labels."""

from bioft.datasets import sources

TEXTS, GENDER = sources("trials", "gender")
