"""Who may take part in a trial, as labels, and texts without the words that say it."""

import re

LABELS = ("All", "Male", "Female", "None")
FROM_RECORD = {"ALL": "All", "MALE": "Male", "FEMALE": "Female", "": "None"}
FEMALE = re.compile(
    r"\b(wom[ae]n|females?|girls?|mothers?|pregnan\w*|breastfeeding|lactating|postpartum|menopaus\w*|postmenopaus\w*|"
    r"premenopaus\w*|menstrua\w*|gyn[ae]\w*|obstetric\w*|cesarean|caesarean|uter\w+|ovar\w+|endometri\w*|cervical "
    r"cancer|vagin\w*)\b",
    re.IGNORECASE,
)
MALE = re.compile(
    r"\b(m[ae]n|males?|boys?|fathers?|prostat\w*|testic\w*|testis|erectile|peni(?:s|le)|semen|sperm\w*|scrot\w*|"
    r"vasectom\w*|circumcis\w*|hypospadias|azoospermi\w*)\b",
    re.IGNORECASE,
)


def without_sex(text: str) -> str:
    """The text without the words that name a sex."""
    return FEMALE.sub(" ", MALE.sub(" ", text))
