"""The verdict in plain English, generated from the numbers.

Never "no difference", and nothing is called proven that was tested over patients alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from harness.statistics.cell import FULL_SEEDS, CellAnswer
from harness.statistics.contrasts import Claim
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.moderation import MIN_LOSSES
from harness.statistics.pair_plans import PairPlan
from harness.statistics.scale import Scale
from harness.statistics.seeds_and_cases import MOST_SEEDS
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.transfer import Transfer

MOST_SENTENCES = 12
MOST_NAMES = 8
MOST_PAIRS = 4
FEW_PATIENTS = 20
DESCRIPTORS = {"volume_ml": "foreground volume", "foreground_fraction": "foreground share of the image"}
"""Words for what is known of a patient from the ground truth."""
TITLES = {"dsc": "DSC", "iou": "IoU", "nsd": "NSD", "hd": "HD", "hd95": "HD95", "assd": "ASSD"}


def verdict(answer: StudyAnswer) -> list[str]:
    """Return the verdict, at most twelve sentences: what hangs on a policy first."""
    found = [*_first_paragraph(answer)]
    if answer.over_datasets is not None:
        found += _over_datasets(answer.over_datasets, answer)
    for each in answer.datasets:
        found += headline(each)
    found += list(claims(answer))
    for each in answer.datasets:
        found += _boundary(each)
    found += list(_advice(answer.over_datasets))
    return found[:MOST_SENTENCES]


def headline(answer: DatasetAnswer) -> list[str]:
    """Return the recommendation of a dataset in one sentence or two."""
    cell, where = answer.primary, f"On {answer.dataset}"
    advice, title = cell.recommendation, title_of(cell.block.metric)
    if cell.comparison is None or advice.loss is None:
        sentences = [f"{where} there is no answer for {title}: {advice.why}."]
        if cell.networks is not None:
            sentences.append(
                "What follows is about these trained networks, not these losses: "
                f"{cell.networks.leader} has the best mean."
            )
        return sentences
    margin = margin_words(cell.block.scale, cell.asked.margin)
    level = f"{100 * (1 - cell.asked.alpha):.3g} %"
    if advice.strength == "proven":
        first = (
            f"{where} take {advice.loss}: over patients and seeds its {title} is proven to be within "
            f"{margin} of the best of these losses, or the best ({level})"
        )
    elif advice.strength == "none over the reference":
        first = (
            f"{where} no loss can be recommended over {advice.reference}: it may be the best itself, and is "
            f"expected to cost less than {margin} in {title}; that is not proven"
        )
    else:
        first = (
            f"{where} {advice.loss} is the best guess for {title}, not proven: it may be the best, with the "
            f"least expected regret ({advice.regret:.2g})"
        )
    possible = cell.comparison.best.names(cell.comparison.best.possibly_best)
    count = len(cell.comparison.best.losses)
    rest = f"{len(possible)} of {count} losses may be the best: {names(possible)}"
    return [first + ".", rest + "."]


def settling(cell: CellAnswer) -> list[str]:
    """Return what would settle the comparisons with the best that are open, the closest first."""
    if cell.comparison is None:
        return []
    found = [_settling(pair, cell.block.scale) for pair in cell.comparison.open[:MOST_PAIRS]]
    rest = len(cell.comparison.open) - len(found)
    if rest <= 0:
        return found
    more = "1 more comparison with the best is" if rest == 1 else f"{rest} more comparisons with the best are"
    return [*found, f"{more} open."]


def warnings(answer: StudyAnswer) -> list[str]:
    """Return what a reader has to know before believing the verdict, the gravest first."""
    found = []
    for each in answer.datasets:
        found += [f"{each.dataset}: {text}" for text in _warnings(each)]
    return [*found, *answer.notes]


def claims(answer: StudyAnswer) -> Iterator[str]:
    """Yield the answer to every contrast: over datasets, or on those that can answer it."""
    own = [
        (f"on {each.dataset}", each.primary.comparison.claims)
        for each in answer.datasets
        if each.primary.comparison is not None
    ]
    over = () if answer.over_datasets is None else answer.over_datasets.claims
    for index in range(len(own[0][1]) if own else 0):
        if over and over[index].estimate is not None:
            yield claim_sentence(over[index], "over these datasets")
            continue
        found = [(claim[index], where) for where, claim in own]
        asked = [(claim, where) for claim, where in found if claim.estimate is not None]
        for claim, where in asked or found[:1]:
            yield claim_sentence(claim, where)


def claim_sentence(claim: Claim, where: str) -> str:
    """Return the answer to one contrast with its numbers."""
    estimate = claim.estimate
    if estimate is None:
        return f'"{claim.contrast.name}" is not asked {where}: {claim.why}.'
    numbers = f"{estimate.difference:+.3f}, 95 % interval {estimate.low:+.3f} to {estimate.high:+.3f}"
    why = f", {claim.why}" if claim.why and claim.answer != "unresolved" else ""
    return f'"{claim.contrast.name}" is {claim.answer} {where}{why} ({numbers}, Holm p {claim.p:.2g}).'


def title_of(metric: str) -> str:
    """Return a metric's name for people."""
    return TITLES.get(metric, metric)


def descriptor_words(name: str) -> str:
    """Return what a descriptor of patients is called."""
    return DESCRIPTORS.get(name, name.replace("_", " "))


def margin_words(scale: Scale, margin: float) -> str:
    """Return a margin as people state it: 0.01, or a factor of 1.1."""
    return f"a factor of {np.exp(margin):.3g}" if scale.log else f"{margin:.3g}"


def names(losses: Sequence[str], most: int = MOST_NAMES) -> str:
    """Return names in a sentence; the first ones of many."""
    if not losses:
        return "none"
    shown = ", ".join(losses[:most])
    return shown if len(losses) <= most else f"{shown} and {len(losses) - most} more"


def _first_paragraph(answer: StudyAnswer) -> Iterator[str]:
    for each in answer.datasets:
        for metric in each.policy_dependent:
            others = "; ".join(f"{policy}: {names(sets)}" for policy, sets in each.policies[metric].items())
            yield (
                f"On {each.dataset} the verdict for {title_of(metric)} depends on the policy for undefined "
                f"values (possibly best under {others})."
            )


def _over_datasets(over: OverDatasets, answer: StudyAnswer) -> Iterator[str]:
    advice, title = over.recommendation, title_of(answer.metric)
    count = len(over.several.datasets)
    unit = "margins" if over.several.in_margins else title
    if advice.loss is None:
        yield f"Over these {count} datasets no loss can be recommended: {advice.why}."
        return
    if advice.strength == "proven":
        proven = f"its mean {title} is proven to be within the margin of the best"
        yield f"Over these {count} datasets take {advice.loss}: {proven}."
    elif advice.strength == "none over the reference":
        yield f"Over these {count} datasets no loss can be recommended over {advice.reference}."
    else:
        yield f"Over these {count} datasets {advice.loss} is the best guess, not proven."
    yield _transfer(over.transfer, unit)
    if over.new is None:
        yield f"{count} datasets say nothing about a new one; that takes three."
    elif over.new.weak:
        yield f"What is said about a new dataset rests on {count} of them, which is weak."


def _transfer(transfer: Transfer, unit: str) -> str:
    """Say what advice would have cost, and the choices beside it, with the same decimals."""
    paid = [float(each.mean()) for each in (transfer.advice, *transfer.always.values(), transfer.random)]
    advice, *others, at_random = _alike(paid if transfer.always else paid[:1] * 2)
    always = ", ".join(f"always {loss} {cost}" for loss, cost in zip(transfer.always, others, strict=True))
    return f"Advice drawn from the other datasets would have cost {advice} {unit} on average" + (
        f" ({always}, a loss at random {at_random})." if always else "."
    )


def _alike(values: Sequence[float]) -> list[str]:
    """Return numbers with the same decimals, of which the largest has three significant digits."""
    largest = max((abs(value) for value in values if np.isfinite(value)), default=0.0)
    decimals = max(0, 2 - int(np.floor(np.log10(largest)))) if largest else 3
    return [f"{value:.{decimals}f}" for value in values]


def _advice(over: OverDatasets | None) -> Iterator[str]:
    for each in () if over is None else over.advice:
        way = "larger" if each.interaction.slope > 0 else "smaller"
        found = each.interaction
        yield (
            f"Exploratory: {found.loss} gains on {each.reference} where the "
            f"{descriptor_words(found.descriptor)} is {way} (q {found.q:.2g}); choosing by it would have "
            "cost less on datasets left out."
        )


def _boundary(answer: DatasetAnswer) -> Iterator[str]:
    cell = answer.boundary
    if cell is None or cell.comparison is None or answer.front is None:
        return
    own, other = answer.primary.recommendation, cell.recommendation
    title = title_of(cell.block.metric)
    if own.loss is None or other.loss is None:
        return
    agrees = own.loss in cell.comparison.best.names(cell.comparison.best.possibly_best)
    told = f"{own.loss} may be the best there, too" if agrees else f"{own.loss} is inferior there"
    advised = {"proven": "is proven within the margin", "not proven": "is the best guess"}.get(
        other.strength, "cannot be bettered with proof"
    )
    yield (
        f"For {title} on {answer.dataset} {other.loss} {advised}, and {told}; on the Pareto front of both: "
        f"{names(answer.front.front)}."
    )


def _settling(pair: PairPlan, scale: Scale) -> str:
    """Return a sentence for one open comparison."""
    what = f"{pair.loss_a} against {pair.loss_b}"
    target, floor = margin_words(scale, pair.target), margin_words(scale, pair.floor_seeds)
    now = f"(now {pair.seeds[0]} and {pair.seeds[1]} seeds, {pair.patients} patients)"
    blurred = pair.floor_seeds > pair.target
    here = (
        f"impossible with this test set, where no number of seeds finds less than {floor}"
        if blurred
        else f"more than {MOST_SEEDS} seeds with these patients"
    )
    hours = "" if pair.hours is None else f", about {pair.hours:.2g} hours"
    patients, seeds = pair.together or (0, 0)
    never = f"out of reach: not even {MOST_SEEDS} seeds with any number of patients find {target} {now}"
    sentences = {
        "enough": f"a difference of {target} would have been found; read the interval",
        "seeds": f"{pair.seeds_needed} seeds of both would find {target} {now}: {pair.more_runs} runs{hours}",
        "patients": f"{here}; {pair.patients_needed} patients with these seeds would find {target} {now}",
        "both": f"{here}; {patients} patients with {seeds} seeds would find {target} {now}",
        "impossible": never,
    }
    return f"{what}: {sentences[pair.outcome]}."


def _warnings(answer: DatasetAnswer) -> Iterator[str]:
    cell = answer.primary
    runs = cell.block.runs
    if cell.comparison is not None and cell.fewest_seeds < FULL_SEEDS:
        seeds = dict(zip(cell.block.losses, cell.block.seeds, strict=True))
        few = [f"{loss} {number}" for loss, number in seeds.items() if number < FULL_SEEDS]
        yield (
            f"exploratory, seeds of use: {names(few)}; with fewer than {FULL_SEEDS} the family-wise error "
            "may reach 10 to 19 % where seed noise is very unequal"
        )
    bad = [f"{loss} {of.useless}/{of.counted}" for loss, of in runs.items() if of.useless]
    if bad:
        yield f"collapsed or diverged runs: {names(bad)}"
    failed = {loss: of.failed for loss, of in runs.items() if of.failed}
    if failed:
        told = [f"{loss} (seed {', '.join(map(str, seeds))})" for loss, seeds in failed.items()]
        yield f"runs that failed on the machine are left out: {names(told)}"
    for metric, counts in answer.undefined.items():
        told = [f"{loss} {number}" for loss, number in counts.items()]
        yield f"undefined values of {title_of(metric)}, replaced by the policy: {names(told)}"
    if cell.comparison is None:
        return
    if len(cell.block.patients) < FEW_PATIENTS:
        yield f"{len(cell.block.patients)} patients: intervals rest on normal theory, roughly"
    if len(cell.comparison.pairs.losses) < MIN_LOSSES:
        yield f"fewer than {MIN_LOSSES} losses: seed variances cannot lend each other strength"
    if not cell.comparison.discriminability.enough:
        yield (
            f"this dataset cannot rank these losses (G = {cell.comparison.discriminability.value:.2f}, below "
            "0.5): more of the spread of their means is noise than difference"
        )
    changed, total = len(answer.grid.changed), len(answer.grid.rankings)
    if changed and cell.recommendation.loss is not None:
        yield (
            f"{cell.recommendation.loss} is not first in {changed} of {total} rankings by other metrics, "
            "policies, checkpoints and ways to aggregate"
        )
    moved = [each.left_out for each in answer.seeds_out if each.changed]
    if moved:
        yield f"another loss has the best mean without {names(moved)}"
