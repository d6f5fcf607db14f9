import numpy as np
import pandas as pd
import pytest

from reports.aggregate import patient_values, run_values, seed_statistics


def scores(*rows: tuple[str, int, int, str, str, int, float]) -> pd.DataFrame:
    columns = ["label", "seed", "fold", "patient", "case", "class_index", "imputed"]
    return pd.DataFrame(rows, columns=columns).assign(dataset="d", metric="dsc")


def test_a_patient_is_the_mean_over_cases_of_the_mean_over_classes() -> None:
    frame = scores(
        ("a", 0, 0, "p", "p1", 1, 0.2),
        ("a", 0, 0, "p", "p1", 2, 0.4),
        ("a", 0, 0, "p", "p2", 1, 1.0),
        ("a", 0, 0, "p", "p2", 2, 0.8),
    )
    assert patient_values(frame)["value"].tolist() == pytest.approx([(0.3 + 0.9) / 2])


def test_a_run_is_the_mean_over_patients_and_not_over_cases() -> None:
    frame = scores(
        ("a", 0, 0, "p", "p1", 1, 0.0), ("a", 0, 0, "p", "p2", 1, 0.0), ("a", 0, 0, "q", "q1", 1, 1.0)
    )
    run = run_values(patient_values(frame)).iloc[0]
    assert (run["value"], run["patients"]) == (0.5, 2)


def test_folds_form_one_run() -> None:
    frame = scores(("a", 0, 0, "p", "p1", 1, 0.4), ("a", 0, 1, "q", "q1", 1, 0.8))
    assert run_values(patient_values(frame))["value"].tolist() == pytest.approx([0.6])


def test_spread_over_seeds_uses_ddof_1_and_is_unknown_for_one_seed() -> None:
    rows = [("a", seed, 0, "p", "p1", 1, value) for seed, value in enumerate([0.5, 0.6, 0.9])]
    statistics = seed_statistics(run_values(patient_values(scores(*rows, ("b", 0, 0, "p", "p1", 1, 0.3)))))
    three, one = statistics.iloc[0], statistics.iloc[1]
    assert three["sd"] == pytest.approx(np.sqrt(0.13 / 3))
    assert three["seeds"] == 3
    assert np.isnan(one["sd"])
