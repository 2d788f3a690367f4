"""What taggers choose from; without imports, so that a command's help answers at once."""

SCHEMES = {"BIO": "BI", "IO": "I", "BIOES": "BIES"}
"""The tags of one class, by scheme."""
SOFTMAX, CRF, MULTILABEL = HEADS = ("softmax", "crf", "multilabel")
SHARED, PER_LABEL, FIXED = "shared", "per-label", "0.5"
"""How thresholds of several tags a word are found."""
EMBEDDING, PREFIX, BIAS = WAYS = ("embedding", "prefix", "bias")
"""How a tagger reads the section of a word."""
