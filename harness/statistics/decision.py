"""The answer as plain values, for other programs: what ``decision.json`` holds."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from harness.statistics.cell import CellAnswer, Comparison
from harness.statistics.contrasts import Claim
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.plan import AnalysisPlan
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.versus import Versus, words_of_pairs
from harness.statistics.wording import settling, verdict, warnings

FORMAT = 1


def decision(answer: StudyAnswer) -> dict[str, Any]:
    """Return the whole answer; numbers that do not exist are None."""
    found = {
        "format": FORMAT,
        "metric": answer.metric,
        "plan": plan_document(answer.results.plan),
        "plan_hash": plan_hash(answer.results.plan),
        "checkpoint": answer.results.checkpoint,
        "verdict": verdict(answer),
        "warnings": warnings(answer),
        "datasets": [_dataset(each) for each in answer.datasets],
        "over_datasets": None if answer.over_datasets is None else _over(answer.over_datasets),
    }
    return dict(plain(found))


def plan_document(plan: AnalysisPlan) -> dict[str, Any]:
    """Return the plan of the analysis as plain values."""
    return dict(plain(plan))


def plan_hash(plan: AnalysisPlan) -> str:
    """Return the sha256 of the plan: another one is another analysis."""
    return hashlib.sha256(json.dumps(plan_document(plan), sort_keys=True).encode()).hexdigest()


def _dataset(answer: DatasetAnswer) -> dict[str, Any]:
    return {
        "dataset": answer.dataset,
        "metrics": [_cell(cell) for cell in answer.cells],
        "front": None
        if answer.front is None
        else {
            "metrics": answer.front.metrics,
            "losses": answer.front.front,
            "membership": dict(zip(answer.front.losses, answer.front.membership, strict=True)),
        },
        "undefined": answer.undefined,
        "possibly_best_by_policy": answer.policies,
        "robustness": {
            "rankings": [
                {**vars(each.basis), "estimand": each.estimand, "rule": each.rule, "leaders": each.leaders}
                for each in answer.grid.rankings
            ],
            "tau": answer.grid.tau,
            "undefined_tau": answer.grid.undefined,
            "changed": len(answer.grid.changed),
            "without_a_seed": [
                {"left_out": each.left_out, "tau": each.tau, "leaders": each.leaders}
                for each in answer.seeds_out
            ],
        },
        "conditional": answer.conditional,
    }


def _cell(cell: CellAnswer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "metric": cell.block.metric,
        "scale": cell.block.scale,
        "margin": cell.asked.margin,
        "alpha": cell.asked.alpha,
        "patients": len(cell.block.patients),
        "estimand": "per protocol; itt beside it",
        "recommendation": cell.recommendation,
        "table": cell.rows,
        "settling": settling(cell),
    }
    if cell.networks is not None:
        found["these_trained_networks_not_these_losses"] = cell.networks
    return found | (_comparison(cell, cell.comparison) if cell.comparison is not None else {})


def _comparison(cell: CellAnswer, comparison: Comparison) -> dict[str, Any]:
    best, stable = comparison.best, comparison.stability
    return {
        "possibly_best": best.names(best.possibly_best),
        "safe": best.names(best.safe),
        "inferior": best.names(best.inferior),
        "inferior_beyond_margin": best.names(best.inferior_beyond),
        "pairs": _pairs(comparison, cell.asked.margin, cell.asked.alpha),
        "prior": comparison.parts.variances.prior,
        "seed_correlation": comparison.correlation.pooled,
        "possibly_best_with_paired_seeds": comparison.paired,
        "ranking_stability": {"tau": stable.agreement, "draws": stable.draws},
        "versus": [_versus(each) for each in comparison.versus],
        "claims": [_claim(each) for each in comparison.claims],
        "open": comparison.open,
        "discriminability": comparison.discriminability,
    }


def _pairs(comparison: Comparison, margin: float, alpha: float) -> list[dict[str, Any]]:
    pairs, same = comparison.pairs, comparison.pairs.equivalence_p(margin)
    half = pairs.half_width(0.025)
    words = words_of_pairs(pairs, comparison.holm, margin, alpha)
    rows = []
    for i, a in enumerate(pairs.losses):
        for j, b in enumerate(pairs.losses[:i]):
            low, high = pairs.difference[i, j] - half[i, j], pairs.difference[i, j] + half[i, j]
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "difference": pairs.difference[i, j],
                    "low": low,
                    "high": high,
                    "df": pairs.df[i, j],
                    "p": pairs.p[i, j],
                    "holm": comparison.holm[i, j],
                    "equivalent_p": same[i, j],
                    "case_only_holm": comparison.case_only.adjusted[i, j],
                    "v_case": pairs.v_case[i, j],
                    "v_seed": pairs.v_seed[i, j],
                    "words": words[i][j],
                }
            )
    return rows


def _versus(versus: Versus) -> dict[str, Any]:
    return {"reference": versus.reference, "rows": versus.rows}


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.contrast.name,
        "plus": claim.contrast.plus,
        "minus": claim.contrast.minus,
        "builtin": claim.contrast.builtin,
        "answer": claim.answer,
        "why": claim.why,
        "estimate": claim.estimate,
        "p": claim.p,
        "equivalent_p": claim.equivalent_p,
    }


def _over(over: OverDatasets) -> dict[str, Any]:
    best = over.best
    return {
        "datasets": over.several.datasets,
        "unit": "margins" if over.several.in_margins else "scores",
        "recommendation": over.recommendation,
        "possibly_best": best.names(best.possibly_best),
        "safe": best.names(best.safe),
        "inferior": best.names(best.inferior),
        "regret": dict(zip(over.stability.listed, over.stability.regret, strict=True)),
        "p_best": dict(zip(over.stability.losses, over.stability.best, strict=True)),
        "random_effects": over.new,
        "beliefs": over.beliefs,
        "ranks": over.ranks,
        "transfer": over.transfer,
        "conditional": over.conditional,
        "conditional_advice": [vars(each) for each in over.advice],
        "claims": [_claim(each) for each in over.claims],
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: arrays as lists, NaN and infinity as None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value
