"""Small real models with random weights, saved as any trained one would be."""

from __future__ import annotations

from pathlib import Path

WORDS = """
the heart is of normal size lungs are clear no pleural effusion pneumothorax large small left right
opacity nodule in upper lower lobe and tube tip above carina
"""

TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
"""Sizes of one tower of an image-text model."""


def tiny_bert(folder: Path, *, positions: int = 64) -> Path:
    """A BERT of two layers over whole words, one width of 32, with its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *dict.fromkeys(WORDS.split())]
    vocabulary += [f"w{number}" for number in range(100)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def tiny_sentence_model(folder: Path, *, positions: int = 64) -> Path:
    """The same BERT as a Sentence Transformers folder: mean pooling, then a dense layer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    bert = Transformer(str(tiny_bert(folder.with_name(folder.name + "-bert"), positions=positions)))
    parts = [bert, Pooling(32), Dense(32, 24)]
    SentenceTransformer(modules=parts, device="cpu").save_pretrained(str(folder))
    return folder


def tiny_clip(folder: Path, *, positions: int = 77) -> Path:
    """A CLIP of two small towers for 16 x 16 pixels; its tokenizer spells words byte by byte."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizerFast

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    start, end = len(tokens), len(tokens) + 1
    vocabulary |= {"<|startoftext|>": start, "<|endoftext|>": end}
    torch.manual_seed(2)
    text = {
        **TOWER,
        "projection_dim": 24,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": positions,
        "bos_token_id": start,
        "eos_token_id": end,
        "pad_token_id": end,
    }
    config = CLIPConfig(
        text_config=text,
        vision_config={**TOWER, "projection_dim": 24, "image_size": 16, "patch_size": 8},
        projection_dim=24,
        initializer_factor=8.0,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPTokenizerFast(vocab=vocabulary, merges=[], model_max_length=positions).save_pretrained(
        folder
    )
    CLIPImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    ).save_pretrained(folder)
    return folder


def tiny_siglip(folder: Path) -> Path:
    """A SigLIP of two small towers; its texts are padded to 40 tokens."""
    import torch
    from transformers import (
        AutoTokenizer,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
    )

    bert = tiny_bert(folder.with_name(folder.name + "-bert"))
    tokenizer = AutoTokenizer.from_pretrained(bert)
    text = {**TOWER, "vocab_size": len(tokenizer), "max_position_embeddings": 40}
    marks = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    torch.manual_seed(3)
    config = SiglipConfig(
        text_config=text | marks, vision_config={**TOWER, "image_size": 16, "patch_size": 8}
    )
    SiglipModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def tiny_dual_encoder(folder: Path) -> Path:
    """A vision tower and a BERT put together, as some medical image-text models are."""
    import torch
    from transformers import (
        AutoImageProcessor,
        AutoTokenizer,
        CLIPVisionConfig,
        CLIPVisionModel,
        VisionTextDualEncoderModel,
    )

    bert = tiny_bert(folder.with_name(folder.name + "-bert"))
    vision = folder.with_name(folder.name + "-vision")
    torch.manual_seed(4)
    CLIPVisionModel(CLIPVisionConfig(**TOWER, image_size=16, patch_size=8)).save_pretrained(vision)
    VisionTextDualEncoderModel.from_vision_text_pretrained(
        vision, bert, projection_dim=20
    ).save_pretrained(folder)
    AutoTokenizer.from_pretrained(bert).save_pretrained(folder)
    clip = tiny_clip(folder.with_name(folder.name + "-clip"))
    AutoImageProcessor.from_pretrained(clip, backend="pil").save_pretrained(folder)
    return folder
