"""The statistics paragraph of the methods section, and the works that it cites."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from harness.statistics.cell import CellAnswer, Comparison
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.wording import margin_words, title_of
from reports.results import StudyResults
from reports.tables.notes import listing

IN_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "benavoli2017": "Benavoli et al. 2017",
        "demsar2006": "Demšar 2006",
        "hartung2001": "Hartung and Knapp 2001",
        "higgins2009": "Higgins et al. 2009",
        "holm1979": "Holm 1979",
        "hsu1996": "Hsu 1996",
        "lachin1999": "Lachin 1999",
        "paule1982": "Paule and Mandel 1982",
        "satterthwaite1946": "Satterthwaite 1946",
        "schuirmann1987": "Schuirmann 1987",
        "smyth2004": "Smyth 2004",
    }
)
"""How the paragraph cites a work of the bibliography."""

_POLICIES = {
    "worst": "the worst value stands in place of undefined ones",
    "complete": "only classes of cases that are defined in every run are compared",
    "worst_rank": f"values are ranked, undefined ones as the worst ({IN_TEXT['lachin1999']})",
    "two_part": "the share of undefined values is compared by itself",
}


def statistics_methods(results: StudyResults) -> list[str]:
    """Return the paragraph, or the sentence that there were no statistics."""
    answer = results.answer
    if answer is None:
        return [f"No loss was tested against another: {results.no_answer}."]
    if not _comparisons(answer):
        return [" ".join(_not_compared(answer))]
    sentences = [
        *_model(answer),
        _margins(answer),
        _best(answer),
        *_pairs(answer),
        _draws(answer),
        *_policy(answer),
        *_looks(results, answer),
        *_over_datasets(answer),
        *_not_compared(answer),
    ]
    return [" ".join(sentences)]


def statistical_works(results: StudyResults) -> tuple[str, ...]:
    """Return the keys of the works that the paragraph cites, in alphabetical order."""
    text = " ".join(statistics_methods(results))
    return tuple(key for key, cited in IN_TEXT.items() if cited in text)


def _comparisons(answer: StudyAnswer) -> list[Comparison]:
    """Return the comparisons of every dataset and metric that has one."""
    found = [cell.comparison for each in answer.datasets for cell in each.cells]
    return [comparison for comparison in found if comparison is not None]


def _model(answer: StudyAnswer) -> Iterator[str]:
    metrics = list(dict.fromkeys(cell.block.metric for each in answer.datasets for cell in each.cells))
    titles = [title_of(metric) for metric in metrics]
    beside = f", with {listing(titles[1:])} beside it" if titles[1:] else ""
    yield (
        f"The primary metric is {titles[0]}{beside}. Patients and seeds are crossed random factors: the "
        "variance of a difference between two losses has a part for patients and a part for seeds, and its "
        f"degrees of freedom follow {IN_TEXT['satterthwaite1946']}."
    )
    logarithms = {
        cell.block.metric for each in answer.datasets for cell in each.cells if cell.block.scale.log
    }
    if logarithms:
        names = listing([title_of(metric) for metric in metrics if metric in logarithms])
        yield f"{names} was analysed as a logarithm."
    lent = [
        each.dataset
        for each in answer.datasets
        if any(cell.comparison and cell.comparison.parts.variances.prior.df > 0 for cell in each.cells)
    ]
    if lent:
        where = "" if len(lent) == len(answer.datasets) else f" on {listing(lent)}"
        yield (
            f"The seed variances of the losses{where} lent each other strength by empirical Bayes, upwards "
            f"only ({IN_TEXT['smyth2004']})."
        )


def _margins(answer: StudyAnswer) -> str:
    cells = [cell for each in answer.datasets for cell in each.cells]
    metrics = list(dict.fromkeys(cell.block.metric for cell in cells))
    parts = [
        f"{_by_dataset([cell for cell in cells if cell.block.metric == metric])} in {title_of(metric)}"
        for metric in metrics
    ]
    return f"Differences of up to {listing(parts)} count as negligible (the margin)."


def _by_dataset(cells: Sequence[CellAnswer]) -> str:
    """Return a margin, or every dataset's own."""
    words = [margin_words(cell.block.scale, cell.asked.margin) for cell in cells]
    if len(set(words)) == 1:
        return words[0]
    return listing([f"{text} ({cell.block.dataset})" for text, cell in zip(words, cells, strict=True)])


def _best(answer: StudyAnswer) -> str:
    plan = answer.results.plan
    level = f"{plan.alpha:.3g}"
    if plan.looks > 1:
        level += f", shared evenly by {plan.looks} planned looks at test scores"
    own = {name: alpha for name, alpha in answer.results.alphas.items() if name in answer.results.datasets}
    if own:
        parts = [f"{alpha:.3g} on {dataset}" for dataset, alpha in own.items()]
        level += f"; seeds were added step by step, and the last look has the level {listing(parts)}"
    return (
        f"Every loss was compared with the best of the others ({IN_TEXT['hsu1996']}), one-sided with "
        f"Bonferroni's correction over these comparisons, at level {level}. Runs that collapsed or diverged "
        "are left out of the comparisons and counted beside them."
    )


def _pairs(answer: StudyAnswer) -> Iterator[str]:
    found = _comparisons(answer)
    references = list(dict.fromkeys(each.reference for comparison in found for each in comparison.versus))
    against = f"Comparisons with {listing(references)} and those between" if references else "Those between"
    yield (
        f"{against} all pairs of losses are two-sided and adjusted by the method of {IN_TEXT['holm1979']}; "
        "equivalence within the margin was judged by two one-sided tests, not adjusted "
        f"({IN_TEXT['schuirmann1987']})."
    )
    claims = [claim.contrast for claim in found[0].claims]
    if claims:
        declared = sum(not contrast.builtin for contrast in claims)
        yield (
            f"Claims about groups of losses ({declared} declared by the study, {len(claims) - declared} "
            "built in) were tested likewise, adjusted over the claims."
        )


def _draws(answer: StudyAnswer) -> str:
    number = f"{answer.results.plan.draws:,}".replace(",", "\u00a0")
    return (
        "Shares of being the best, spreads of ranks and expected regret come from "
        f"{number} joint draws of patients and seeds; they describe stability and are no confidence."
    )


def _policy(answer: StudyAnswer) -> Iterator[str]:
    policy = answer.results.plan.policy
    yield f"Undefined values: {_POLICIES[policy]} (policy {policy!r})."
    found = [name for each in answer.datasets for sets in each.policies.values() for name in sets]
    others = [name for name in dict.fromkeys(found) if name != policy]
    if others:
        words = listing([f"{_POLICIES[name]} (policy {name!r})" for name in others])
        yield f"There were some, so the losses that may be the best were also found where {words}."


def _looks(results: StudyResults, answer: StudyAnswer) -> Iterator[str]:
    if results.part != "test":
        yield "Validation scores were analysed, which is no look at test scores."
        return
    number = len(results.looks)
    if number:
        looks = "1 look" if number == 1 else f"{number} looks"
        yield (
            f"The database knew of {looks} at distinct sets of test scores; "
            f"{answer.results.plan.looks} had been planned."
        )


def _over_datasets(answer: StudyAnswer) -> Iterator[str]:
    over = answer.over_datasets
    if over is None:
        return
    unit = ", each difference in units of its dataset's margin" if over.several.in_margins else ""
    count = len(over.several.datasets)
    yield f"Over the {count} datasets differences were averaged with equal weights{unit}."
    yield from _new_dataset(over)
    yield f"Mean ranks over datasets stand beside Nemenyi's critical distance ({IN_TEXT['demsar2006']})."


def _new_dataset(over: OverDatasets) -> Iterator[str]:
    if over.new is None:
        yield "Nothing is said about a new dataset, which takes three."
        return
    yield (
        "What is said about a new dataset comes from random effects, with the variance between datasets by "
        f"{IN_TEXT['paule1982']}, intervals by {IN_TEXT['hartung2001']} and prediction intervals by "
        f"{IN_TEXT['higgins2009']}."
    )
    if over.beliefs is not None:
        yield (
            "Probabilities of being below, within and above the margin come from a Bayesian hierarchy over "
            f"the datasets ({IN_TEXT['benavoli2017']})."
        )


def _not_compared(answer: StudyAnswer) -> Iterator[str]:
    lacking: dict[str, list[CellAnswer]] = {}
    for cell in (cell for each in answer.datasets for cell in each.cells):
        if cell.comparison is None:
            lacking.setdefault(cell.recommendation.why, []).append(cell)
    for why, cells in lacking.items():
        datasets = listing(list(dict.fromkeys(cell.block.dataset for cell in cells)))
        metrics = listing(list(dict.fromkeys(title_of(cell.block.metric) for cell in cells)))
        yield f"No losses were compared in {metrics} on {datasets}: {why}."
