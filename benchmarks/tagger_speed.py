"""Notes and words per second of the tagger by head, and what it costs beside its bare encoder.

    python benchmarks/tagger_speed.py [--notes 60] [--encoder minilm|tiny] [--threads 1]

The notes are put together from sentences written here; the weights over the encoder are random,
with biases by which most words are in no entity. Time is the process's CPU time, the better
of two runs: other work on the machine counts little. The bare encoder reads the same windows in
the same batches and does nothing else.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import torch
from measure import seconds

from baselines.encoder.scratch import PRESETS, make_scratch_encoder
from baselines.encoder.start import find_encoder, load_parts
from baselines.tagger.checkpoint import Shape, save_tagger, thresholds_of
from baselines.tagger.choices import HEADS, MULTILABEL
from baselines.tagger.labeler import TaggerLabeler
from baselines.tagger.tags import Tagging
from baselines.tagger.token_classifier import TokenClassifier, WordPadding
from baselines.tagger.words import WordReader
from labelwright.label_set import LabelSet
from labelwright.records import Report

SENTENCES = (
    "The patient is a {n}-year-old with known hypertension and type 2 diabetes.",
    "Ultrasound shows a {n} mm nodule of the left breast with irregular margins.",
    "Histology: invasive ductal carcinoma, grade {n}, oestrogen receptor positive.",
    "She was given letrozole {n} mg daily and tolerated it well.",
    "No metastases in liver, lung or bone on the CT of day {n}.",
    "Follow-up in {n} weeks; the wound is dry and without redness.",
)
LONG_WORDS = 10_000


def notes(count: int, sentences: int, seed: int = 0) -> list[str]:
    """Notes of so many sentences, each with numbers of its own."""
    rng = random.Random(seed)
    return [
        " ".join(rng.choice(SENTENCES).format(n=rng.randrange(1000)) for _ in range(sentences))
        for _ in range(count)
    ]


def tagger(source: str, folder: Path, head: str) -> Path:
    """A tagger's folder with random weights over an encoder."""
    torch.manual_seed(0)
    encoder, tokenizer = load_parts(source, name=source, dtype=torch.float32)
    tagging = Tagging(LabelSet.load("breast-cancer-pt-10"), "BIO", head == MULTILABEL)
    model = TokenClassifier(encoder, len(tagging.names), head=head, dropout=0.1)
    with torch.no_grad():  # most words are in no entity
        model.scores.bias.fill_(-3.0)
        model.scores.bias[0] = 0.0
    shape = Shape(
        tagging=tagging,
        head=head,
        max_length=512,
        stride=64,
        dropout=0.1,
        thresholds=thresholds_of(tagging),
    )
    save_tagger(folder / head, model, tokenizer, shape, sections="full", base_model=source)
    return folder / head


@torch.inference_mode()
def bare(source: str, texts: list[str], batch_size: int) -> float:
    """CPU seconds of the encoder alone over the windows of these texts."""
    encoder, tokenizer = load_parts(source, name=source, dtype=torch.float32)
    found = WordReader(tokenizer, limit=512, stride=64).read(texts)
    windows = sorted((w for words in found for w in words.windows), key=lambda w: len(w.ids))
    padding = WordPadding(int(tokenizer.pad_token_id or 0))
    batches = []
    for start in range(0, len(windows), batch_size):
        rows = [{"input_ids": w.ids, "firsts": w.firsts} for w in windows[start:][:batch_size]]
        batch = padding(rows)
        batches.append({name: batch[name] for name in ("input_ids", "attention_mask")})
    encoder.eval()
    return seconds(lambda: [encoder(**batch) for batch in batches])


def measure(source: str, folder: Path, texts: list[str], what: str) -> None:
    """Print the speed of every head over these texts."""
    reports = [Report(str(n), text, "benchmark", n + 1) for n, text in enumerate(texts)]
    labelers = {h: TaggerLabeler.from_checkpoint(folder / h, device="cpu") for h in HEADS}
    reader = labelers[HEADS[0]]._reader
    words = sum(len(found) for found in reader.read(texts))
    print(f"{what}: {len(texts)} notes, {words:,} words")
    alone = bare(source, texts, labelers[HEADS[0]].batch_size)
    took = {"bare encoder": alone, "words and windows": seconds(lambda: reader.read(texts))}
    for head, labeler in labelers.items():
        took[f"tagger, {head}"] = seconds(lambda labeler=labeler: labeler.label_reports(reports))
    for name, cpu in took.items():
        print(
            f"  {name:<20} {len(texts) / cpu:8.1f} notes/s {words / cpu:10,.0f} words/s "
            f"{cpu / alone:6.2f} x the bare encoder"
        )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notes", type=int, default=60)
    parser.add_argument("--encoder", default="minilm", help="minilm, tiny or a model folder")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    short, long = notes(arguments.notes, 12), notes(1, LONG_WORDS // 13)
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base)
        if arguments.encoder == "tiny":
            source = str(folder / "start")
            make_scratch_encoder(short, source, shape=PRESETS["tiny"], seed=0)
        else:
            source = find_encoder(arguments.encoder)[0]
        for head in HEADS:
            tagger(source, folder, head)
        print(f"encoder {arguments.encoder}, {arguments.threads} thread(s), ten types in BIO")
        measure(source, folder, short, "notes")
        measure(source, folder, long, "one long note")


if __name__ == "__main__":
    main()
