"""The weights with which a tagger uses the section of a word."""

from __future__ import annotations

import torch
from torch import nn

from baselines.tagger.choices import BIAS, EMBEDDING
from baselines.tagger.sections import NOWHERE

SIZE = 32
"""Length of a section's vector."""


class SectionFusion(nn.Module):
    """The weights of the ways that have any.

    Args:
        sections: number of sections.
        size: width of the encoder.
        tags: number of tags.
    """

    def __init__(self, way: str, sections: int, *, size: int, tags: int) -> None:
        super().__init__()
        self.way = way
        if way == EMBEDDING:
            self.table = nn.Embedding(sections, SIZE, padding_idx=NOWHERE)
            nn.init.normal_(self.table.weight, std=0.02)
            self.mix = nn.Linear(size + SIZE, size, bias=False)
            with torch.no_grad():
                self.table.weight[NOWHERE] = 0
                self.mix.weight.zero_()
                self.mix.weight[:, :size] = torch.eye(size)
        elif way == BIAS:
            self.table = nn.Embedding(sections, tags, padding_idx=NOWHERE)
            nn.init.zeros_(self.table.weight)

    def inputs(self, words: torch.Tensor, sections: torch.Tensor) -> torch.Tensor:
        """Vectors for the encoder, ``[batch, tokens, size]``, of those of tokens and sections."""
        both = torch.cat([words, self.table(sections).to(words.dtype)], dim=-1)
        mixed: torch.Tensor = self.mix(both)
        return mixed

    def scores(self, sections: torch.Tensor) -> torch.Tensor:
        """What is added to the tags' scores, ``[batch, words, tags]``."""
        added: torch.Tensor = self.table(sections)
        return added
