"""The keys of a lexicon file, of each of its entries, and the slots of its frames."""

TOP = (
    "label_set",
    "words",
    "frames",
    "observations",
    "joint",
    "asides",
    "absent_too",
    "other_exams",
    "summaries",
    "front",
    "headings",
    "profiles",
    "ways",
    "shared_ways",
    "voids",
    "strangers",
    "synonyms",
    "spellings",
    "short_forms",
    "maskable",
    "keep",
)
NEEDED = ("label_set", "frames", "observations", "summaries", "profiles")
FRAMES: dict[str, tuple[str, ...]] = {
    "positive": ("x", "ax", "is", "has"),
    "steady": ("x", "ax", "is", "has"),
    "evolving": ("x", "ax", "is", "has"),
    "pair": ("x", "y"),
    "uncertain": ("t", "x"),
    "negative": ("t",),
    "negative_list": ("or_list", "nor_list"),
    "resolved": ("t",),
    "double": ("t", "u"),
    "may_be": ("x", "ax", "is", "has", "or_list"),
    "due_to": ("x", "ax", "is", "has", "or_list"),
}
"""Frame kinds and the slots that the grammar fills in them."""
STRANGERS = ("usual", "abnormal")
OPTIONAL_FRAMES = ("may_be", "due_to")
SUMMARIES = ("normal", "no_acute", "otherwise")
OBSERVATION = (
    "organ",
    "rates",
    "terms",
    "found",
    "found_many",
    "countable",
    "evolves",
    "listed",
    "despite",
    "causes",
    "positive",
    "negative",
    "uncertain",
)
JOINT = ("says", "text")
WAY = ("kind", "says", "only", "evolves", "abnormal", "weight", "unless", "text")
ROLES = ("a", "b", "c", "d")
ROLE_SLOTS = ("", "_is", "_was", "_has", "_does", "_x", "_ax", "_xis", "_xhas")
"""Endings of the slots of a role: its bare term and verbs, then what is present and its verbs."""
EXAM = ("heading", "says", "abnormal", "text", "closing")
ASIDE = ("rate", "abnormal", "place", "organ", "unless", "text")
PLACES = ("findings", "impression", "both")
PROFILE = ("weight", "usual", "asides", "rates")
