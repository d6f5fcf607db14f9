"""The page of the study file: every key, from the models that check it."""

import inspect
from collections.abc import Iterator

from harness.cli.loss_docs.docstrings import markdown, read_docstring
from harness.cli.loss_docs.parameters import as_yaml
from harness.cli.markdown import prose
from harness.cli.reference_docs.schema import Block, Key, blocks_of
from harness.cli.reference_docs.words import in_words
from harness.cli.reference_docs.yaml_page import NOTE, contents, joined, sections
from harness.models import MODELS
from harness.study.spec import Study

INTRODUCTION = """\
# Study file

A study is a YAML file: datasets, losses and seeds under one protocol. This page lists every key that it may
have; `lossbench studies` lists the studies that ship, and `studies/` holds their files as examples.

```yaml
study: which_loss
datasets: [lesions.yaml]
seeds: 5
protocol: {epochs: 100, optimizer: {name: adam, lr: 1e-3}}
losses:
  - {label: Dice + CE, loss: dice + ce}
  - {label: GDL + BL, loss: gdl + boundary, alpha: {schedule: rebalance, over: 1.0}}
```

* **Strict YAML 1.2.** `1e-3` is a number, `no` is a text, a key that stands twice is an error. Unknown keys
  are refused, with the nearest known one; all mistakes are reported at once, each at its line.
* **On the command line** `--set KEY=VALUE` changes a key for one call: `--set protocol.epochs=20`,
  `--set datasets.0.split.test=10`. Entries of lists are counted from 0.
* **Forms.** Where a key takes one of several forms, such as an optimiser, the word in the link chooses it.
  Augmentations, samplers and pruners may be a bare word: `sampler: tpe`.
* **Trial keys.** What moves numbers is part of a trial's key: with another protocol, model or loss, trials
  are trained anew; `title`, `seeds`, `only`, `contrasts` and `analysis` change none.

What can stand under `loss` is in [Losses](../losses.md); what a manifest holds, in
[Dataset file](dataset-file.md).
"""


def page() -> str:
    """Return the page."""
    blocks = list(_with_models(blocks_of(Study)))
    return joined([NOTE, INTRODUCTION, contents(blocks), "## Top level", *sections(blocks)])


def _with_models(blocks: list[Block]) -> Iterator[Block]:
    """Yield the blocks, those of the networks' options behind that of the network."""
    for block in blocks:
        yield block
        if block.heading == "model":
            for name in MODELS:
                yield _options(name)


def _options(name: str) -> Block:
    """Return the options of a registered network."""
    network = MODELS[name]
    doc = read_docstring(network.__doc__)
    keys = tuple(
        Key(
            option.name,
            in_words(option.annotation, (), lambda model: model.__name__),
            "none" if option.default is None else f"`{as_yaml(option.default)}`",
            prose(markdown(doc.arguments.get(option.name, ""))),
        )
        for option in inspect.signature(network, eval_str=True).parameters.values()
        if option.name not in {"in_channels", "n_classes"}
    )
    return Block("model", name, prose(doc.summary), keys)
