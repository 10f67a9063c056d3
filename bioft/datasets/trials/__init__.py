"""Records of ClinicalTrials.gov: download, reading, texts and labels."""

from bioft.task import Source

TEXTS = Source(
    name="trials",
    title="ClinicalTrials.gov trial records",
    build="bioft.datasets.trials.texts:build",
    purpose="Build a dataset of texts (title, summary, description, eligibility) from records of ClinicalTrials.gov.",
    fetch="trials",
    download="trials",
    folder=True,
)
GENDER = Source(
    name="gender",
    title="who may take part in clinical trials of ClinicalTrials.gov",
    build="bioft.datasets.trials.gender:build",
    purpose="Build texts of clinical trials with who may take part: All, Male, Female, or None where it is not said.",
    fetch="trials",
    download="trials",
    folder=True,
)
