"""Records of ClinicalTrials.gov: download, reading, texts and labels."""
