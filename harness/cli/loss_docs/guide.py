"""The prose of the loss reference: what a loss is, how to write, use and make one.

Every YAML and Python block here is read or run by a test.
"""

INTRODUCTION = """\
# Losses

Every loss of lossbench is a `torch.nn.Module` that takes logits and labels and returns one number, lower
is better. `lossbench losses` lists them, `lossbench losses NAME` explains one on the terminal, and this
page is what `lossbench losses --markdown` prints.

![The losses, and what each has to do with the others](images/losses-family.png)

## Conventions

They hold for every loss, so that a comparison of two losses compares their formulas and nothing else.

* **In and out.** `loss(logits, labels)` takes logits (B, C, H, W), background as class 0, and integer
  labels (B, H, W) in 0..C-1. It applies the softmax over the C >= 2 classes itself. Overlapping regions
  under a sigmoid are refused.
* **Precision.** Everything is computed in float32 at least, under autocast too; float64 logits stay
  float64.
* **Groups.** Sums of a region loss run over all images of the batch (`reduce: batch`), or over each image
  by itself, followed by the mean (`reduce: sample`).
* **Background.** `include_background` says whether class 0 is one of the classes: off by default for Dice
  and its relatives, on where the published loss is about all classes.
* **Absent classes.** A class without a labelled pixel in its group has no overlap to speak of. `absent`
  says what it does: `ignore` takes it out of the mean, `smooth` keeps the formula as nnU-Net and MONAI do
  (about 1, without gradient), and `penalise` puts its mean probability there, which pushes false
  positives down. It is a choice, not a by-product of `eps`; a loss without this parameter says in its text
  what it does.
* **Unlabelled pixels.** `ignore_label` belongs to the dataset, not to the loss: pixels with this label
  have no value and no gradient, in any loss. In a study it comes from the manifest; in your own code it
  is an argument of `build`.
* **Needs.** Some losses read more than the labels: distance maps, components, skeletons, pixel counts.
  They are keyword arguments of the call. In a study they are computed once per image and follow every
  augmentation. In your own loop you may leave them out: the loss then computes them from the labels of
  the batch, on the CPU and at every step, with a spacing of 1 unless you give `spacing`.
* **Terms.** Some losses are meant as a part of a sum, because they collapse or say nothing about places
  when they stand alone. Below they are marked as a *term*.

In the formulas p are the probabilities, t the one-hot labels, y the labels, B, C, H, W the sizes of the
batch, and N = B H W its pixels. Per class and group of n pixels, tp = sum p t, fp = sum p (1 - t), fn =
sum (1 - p) t, tn = sum (1 - p)(1 - t), P = sum p and V = sum t. mean_K is the mean over the classes that
count. phi is the signed distance to the boundary of a class, negative inside.
"""

STUDY = """\
## In a study file

`losses` lists what is compared. A loss is a name, a name with parameters, or a sum. What is not given has
its default, and two ways to write the same loss give the same trial.

```yaml
losses:
  - {label: Dice, loss: dice}
  - {label: Focal (3), loss: {name: focal, gamma: 3.0}}
  - {label: weighted sum, loss: 0.8*dice + 0.2*ce}
  - {label: nnU-Net's loss, loss: dice_ce}       # an alias, short for dice + ce
  - label: with parameters inside a sum
    loss:
      - dice
      - {name: focal, gamma: 3.0, weight: 0.5}
      - {name: tversky, fp: 0.2, fn: 0.8, reduce: sample}
```

A sum can have an alpha that moves during the training. It acts on the boundary-family term, else on the
second of two terms; a longer sum says which term by `on`. Lengths are fractions of the training (`over`),
so that a short study means the same as a long one, or epochs as in the papers.

```yaml
losses:
  - label: from GDL to the boundary loss
    loss: gdl + boundary
    alpha: {schedule: rebalance, over: 1.0}
  - label: three parts
    loss: dice + ce + boundary
    alpha: {schedule: increase, start: 0.0, end: 0.1, over: 0.5, on: boundary}
  - {label: schedule found by tuning, loss: gdl + boundary, alpha: tune}
```

A class of your own is written by its import path, or by the name that its package announces. Both can
stand in a sum and take parameters.

```yaml
losses:
  - {label: by import path, loss: "my_package.losses:MyLoss"}
  - {label: in a sum, loss: "dice + 0.5*my_package.losses:MyLoss"}
  - {label: with a parameter, loss: {name: "my_package.losses:MyLoss", power: 3.0}}
```

```toml
[project.entry-points."lossbench.losses"]
my_loss = "my_package.losses:MyLoss"
```
"""

OWN_LOOP = """\
## In your own training loop

`parse_loss` reads what a study file would say and `build` returns the module. Nothing else of lossbench is
needed. `set_epoch` moves alpha; a loss without one does not mind.

```python
from harness.losses import parse_loss

loss = parse_loss("gdl + boundary", {"schedule": "rebalance", "over": 1.0}).build(ignore_label=255)
for epoch in range(epochs):
    loss.set_epoch(epoch, epochs)
    for batch in loader:  # of MONAI: {"image": (B, 1, H, W), "label": (B, 1, H, W)}
        logits = model(batch["image"])  # (B, C, H, W), no softmax
        value = loss(logits, batch["label"][:, 0].long())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
```

Move the loss to the device of the logits, `loss.to(device)`. What a loss can take precomputed goes beside
the labels:

```python
import torch

images = torch.rand(2, 1, 32, 32)
labels = (images[:, 0] > 0.5).long()
logits = torch.randn(2, 2, 32, 32, requires_grad=True)
loss = parse_loss("dice + 0.01*boundary").build()
print(sorted(loss.needs))  # ['distance_maps']
value = loss(logits, labels, spacing=torch.tensor([0.8, 0.8]))
```

In nnU-Net (2D configurations), a trainer of your own returns the loss; its labels have a channel:

```python
class Trainer(nnUNetTrainer):
    def _build_loss(self):
        self.part = parse_loss("dice + ce").build(self.label_manager.ignore_label)
        return lambda logits, labels: self.part(logits, labels[:, 0].long())
```

Wrap it in nnU-Net's `DeepSupervisionWrapper` if deep supervision is on, as its own trainers do.
"""

NEW_LOSS = '''\
## A new loss

Write one class. Its keyword arguments are its parameters, its docstring is its documentation: the block
after `::` is the formula, `Args:` describes the parameters, and what follows `Elsewhere:` goes into the
table of differences.

```python
from harness.losses import Batch, Loss, Real, register
from harness.losses.base import between, positive
from torch import Tensor


@register
class GeneralisedCrossEntropy(Loss):
    """Generalised cross entropy: from CE (q near 0) to the mean absolute error (q = 1).

    ::

        L = 1/N sum_i (1 - p_y(i)^q) / q

    Reference: Zhang and Sabuncu, NeurIPS 2018.

    Args:
        q: Large values forgive pixels that are predicted badly; > 0 and <= 1.
        ignore_label: Label of the pixels to leave out.
    """

    name = "generalised_ce"
    family = "distribution"
    reference = "Zhang and Sabuncu, NeurIPS 2018"
    spaces = {"q": Real(0.1, 1.0)}

    def __init__(self, *, q: float = 0.7, ignore_label: int | None = None) -> None:
        super().__init__(ignore_label=ignore_label)
        self.q = between("q", positive("q", q), 0, 1)

    def value(self, batch: Batch) -> Tensor:
        return batch.mean(-(self.q * batch.log_p_y).expm1() / self.q)
```

In a file under `harness/losses/` nothing else is needed: the class stands in `lossbench losses`, in study
files and in the test that every loss has to pass, and `lossbench losses --markdown > docs/losses.md`
brings this page up to date. In a package of your own leave `@register` out and use the import path or an
entry point. `batch` holds what formulas are made of (`p`, `mask`, `log_p_y`, `region(...)` with tp, fp, fn,
P, V), computed at most once per step and shared by all terms of a sum. A loss that is one number per
class derives from `harness.losses.region.RegionLoss` and writes only `per_class`.
'''

SPACES = """\
## Search spaces

`spaces` says what a study that tunes a loss draws its parameters from: a mapping from the name of a parameter
to one of these. The tables of the losses and of the alpha schedules show them under *searched*.

```python
from harness.losses import Choice, Real, Whole

spaces = {
    "gamma": Real(0.0, 5.0),  # a number, both ends included
    "beta": Real(0.5, 4.0, log=True),  # uniform in its logarithm, where a factor matters
    "iterations": Whole(3, 25),  # a whole number
    "weighting": Choice(("inverse", "uniform")),  # one of some values
}
```

Give a range to what changes how a loss weighs its pixels or terms. It holds the default, and the loss trains
everywhere in it. Conventions that all losses share, such as `reduce`, `absent` or `eps`, have none: a
comparison holds them fixed. A parameter without a range keeps its value, and a loss without `spaces` is
tuned by its learning rate alone; a study can narrow, fix and add ranges. A subclass inherits the spaces of
its base; where its parameters differ it states all of its own. The schedules of alpha declare theirs in the
same way, with lengths as fractions of the training.

The learning rate is drawn along with every loss, from the range of the optimiser:
"""

SCHEDULES = """\
## Alpha schedules

A sum L = w_R L_R + w_B L_B gets its weights from alpha(e), e the epoch of E: in the form `add` they are
(1, alpha), in the form `mix` (alpha, 1 - alpha). L_B is the term that alpha moves, L_R all others. `form`
is a key of every schedule. A key that ends in `over` is a fraction of the training and replaces a length
in epochs.

![The weights of every schedule](images/losses-schedules.png)
"""

ELSEWHERE = """\
## Where other implementations differ

The same name often stands for another formula. This is what we know of, per loss.
"""

MONAI = """\
### Beside MONAI

What one would take from MONAI (or torch, which MONAI uses for cross entropy) instead. Set MONAI's options
to softmax, sums over the batch, and foreground classes where our loss leaves the background out; then
values are the same, within rounding, unless a difference is named. A test holds every loss that has none.
"""

GALLERY = """\
![The gradient of every loss on one slice](images/losses-anatomy.png)
"""
