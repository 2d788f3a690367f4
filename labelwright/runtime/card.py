"""The model card: ``README.md`` of a model folder, with the metadata that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelwright.io.jsonl import atomic_write
from labelwright.label_set import LabelSet
from labelwright.runtime.fetched import PRETRAINED


def write_card(
    folder: Path, template: Path, label_set: LabelSet | None, facts: Mapping[str, Any], **more: Any
) -> None:
    """Write the card from the manifest's facts.

    The template's metadata say what kind of model it is; language, licence, base model and the
    scores on validation reports (``model-index``) are added.

    Args:
        template: Jinja; a name that it uses and nobody gives is an error.

    Raises:
        OutputError: it cannot be written.
    """
    import jinja2
    from huggingface_hub import ModelCard

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    given = {
        **facts,
        "name": folder.name,
        "label_set": label_set,
        "train": facts["counts"]["train"],
        "validation": facts["counts"].get("validation"),
        "training": facts["arguments"]["training"],
        "task": facts["arguments"]["task"],
        **more,
    }
    text = environment.from_string(template.read_text(encoding="utf-8")).render(given)
    card = ModelCard(
        text.rstrip() + _licence(given["task"]["license"]), ignore_metadata_errors=True
    )
    for name, value in _metadata(given).items():
        setattr(card.data, name, value)
    with atomic_write(folder / "README.md", mode=0o644) as handle:
        handle.write(f"{card}\n")


def _licence(name: str | None) -> str:
    said = f"{name}." if name else "not stated; `--license` names one."
    return (
        f"\n\n## Licence\n\n{said} The licence of the model that training started from applies too."
    )


def _metadata(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub shows and searches, as attributes of its ``ModelCardData``."""
    from huggingface_hub import EvalResult

    found: dict[str, Any] = {}
    label_set, learned, base = given["label_set"], given["learned"], str(given["base_model"])
    if label_set is not None:
        found["language"] = label_set.language
    if given["task"]["license"]:
        found["license"] = given["task"]["license"]
    hub_name = base.count("/") == 1 and not Path(base).exists()  # a local path says nothing
    if base in PRETRAINED or hub_name:
        found["base_model"] = PRETRAINED[base].hub if base in PRETRAINED else base
    if learned:
        scores = {
            "micro F1 of findings": learned["f1_of_findings"],
            "the same of one fixed answer": learned["f1_of_one_fixed_answer"],
        }
        found["model_name"] = given["name"]
        found["eval_results"] = [
            EvalResult(
                task_type="text-classification",
                task_name=f"{label_set.task} of {label_set.name}",
                dataset_type="labelwright",
                dataset_name="validation reports of the training",
                metric_type="f1",
                metric_name=name,
                metric_value=value,
            )
            for name, value in scores.items()
        ]
    return found
