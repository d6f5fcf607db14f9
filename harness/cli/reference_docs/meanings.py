"""Sentences for keys whose class says nothing of them, by class and key, in Markdown.

They go before a docstring: some of those speak to readers of the source. Keys of a base class are named once.
"""

from collections.abc import Mapping
from types import MappingProxyType

_STUDY = {
    "Study.study": "Name of the study in the database and in reports: letters, digits and `_ + . -`.",
    "Study.title": "For readers of reports.",
    "Study.datasets": "What is segmented: names of the catalogue, manifests, or entries with changes.",
    "Study.losses": "What is compared: the rows of every table.",
    "Study.seeds": "Repetitions of every loss. Seed *s* is the same for all losses.",
    "Study.only": "What is trained now; the question of the study stays as it is.",
    "Study.evaluation": (
        "The cases whose scores are reported. `validation`, as some papers did; then every table says so."
    ),
    "Study.protocol": "How every model is trained.",
    "Study.model": "The network.",
    "Study.variants": "Rows with another network or protocol beside the losses as they are.",
    "Study.tuning": "Which losses are tuned, over what, with which budget; see the [guide](../tuning.md).",
    "Study.contrasts": "Claims that the answer and the report examine; see the [guide](../statistics.md).",
    "Study.analysis": "Endpoints, levels and margins, said before there are scores.",
    "ModelEntry.name": "A registered network, or `my_package.module:MyNet`; see the [guide](../models.md).",
    "SimulateOptions.cases": "How many cases are simulated.",
    "SimulateOptions.seed": "Of what is drawn.",
    "SimulateOptions.inplane_mm": "Pixel size of the simulated images; that of the archive if absent.",
    "SimulateOptions.sites": "Sites whose scanners are simulated; all of the archive's if absent.",
}
_TRAINING = {
    "Adam.lr": "Learning rate.",
    "Adam.betas": "Decay of the running means of the gradient and of its square.",
    "Adam.weight_decay": "Added to the gradient, times the weight.",
    "AdamW.lr": "Learning rate.",
    "AdamW.betas": "Decay of the running means of the gradient and of its square.",
    "AdamW.weight_decay": "Taken from the weights, not added to the gradient.",
    "Sgd.lr": "Learning rate.",
    "Sgd.momentum": "Share of the last step that goes on.",
    "Sgd.nesterov": "Look ahead along the momentum.",
    "Sgd.weight_decay": "Added to the gradient, times the weight.",
    "PlateauSchedule.factor": "What the learning rate is multiplied with.",
    "PlateauSchedule.patience": "Epochs without a better validation DSC.",
    "PolySchedule.power": "Exponent; 1 is a straight line.",
    "CosineSchedule.floor": "The end, as a share of the learning rate.",
    "Elastic.amplitude": "Root mean square of the displacement, in millimetres.",
    "Elastic.knots": "Distance of the control points, in millimetres: larger is smoother.",
    "Intensity.gain": "The factor lies in 1 - `gain` to 1 + `gain`.",
    "Intensity.offset": "What is added lies in -`offset` to `offset`.",
    "Intensity.contrast": "The exponent lies in 1 / (1 + `contrast`) to 1 + `contrast`.",
    "Intensity.noise": "Largest standard deviation of the noise.",
    "Rotation.degrees": "Largest angle either way.",
    "Scale.smallest": "Smallest factor.",
    "Scale.largest": "Largest factor.",
    "Shift.pixels": "Largest shift, in pixels.",
}
_ALPHA = {
    "Schedule.form": "`add`: the weights are (1, alpha). `mix`: they are (alpha, 1 - alpha).",
    "Schedule.start": "alpha in the first epoch.",
    "Schedule.end": "alpha at the end.",
    "Schedule.cap": "alpha never passes it.",
    "Schedule.floor": "alpha never falls below it.",
    "Schedule.step": "Change of alpha in every epoch, in the place of `over`.",
    "Schedule.over": "Length as a fraction of the training, in the place of one in epochs.",
    "Schedule.pause": "Epochs before the line begins.",
    "Schedule.pause_over": "The same as a fraction of the training.",
    "Schedule.hold": "Epochs that each step lasts.",
    "Schedule.hold_over": "The same as a fraction of the training.",
    "Schedule.published_code": "The weights of the released code, which do not sum to one.",
    "Schedule.epochs": "Epochs with the first loss alone.",
    "Schedule.then": "What follows the warm start; takes neither `on` nor `tuned_in`.",
    "Schedule.on": "Which loss of a longer sum alpha moves.",
    "Schedule.tuned_in": "The search that found the schedule; lossbench writes it, nobody else needs to.",
}
_TUNING = {
    "Tpe.startup": "Random draws before the first proposal.",
    "CmaEs.startup": "Random draws before the first proposal.",
    "PercentilePruning.keep": "Per cent that go on.",
    "PercentilePruning.startup": "Configurations that are trained to the end before any is ended.",
    "PercentilePruning.warmup": "Part of the training in which none is ended.",
    "HyperbandPruning.first": "Epochs before the first rung.",
    "HyperbandPruning.factor": "How much longer each rung is than the one before it.",
    "Range.low": "Lower end, included.",
    "Range.high": "Upper end, included.",
    "Range.log": "Draw uniformly in the logarithm.",
}

MEANINGS: Mapping[str, str] = MappingProxyType({**_STUDY, **_TRAINING, **_ALPHA, **_TUNING})
