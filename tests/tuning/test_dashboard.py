"""optuna-dashboard opens the searches by the URL that the guide gives."""

import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna_dashboard
import pytest

from tests.tuning.lab import study_of

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "tuning.md").read_text(encoding="utf-8")
SEARCH_PATH = "?options=-csearch_path%3Doptuna"
PRUNER = {"name": "median", "startup": 2, "warmup": 0.2}
STUDY = study_of(tuning={"losses": "all", "configurations": 6, "pruner": PRUNER})


def dashboard_url(url: str) -> str:
    """Return the URL for the dashboard of a database, as the guide has it."""
    assert "optuna-dashboard sqlite:///lossbench-home/results.db" in GUIDE
    assert f"optuna-dashboard 'postgresql+psycopg://me@server/results{SEARCH_PATH}'" in GUIDE
    if url.startswith("sqlite"):
        return url
    return url + (SEARCH_PATH if "?" not in url else SEARCH_PATH.replace("?", "&"))


def get(app: Any, path: str) -> Any:
    """Return what the dashboard's page gets from its server."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = path
    told: list[str] = []
    body = b"".join(app(environ, lambda status, headers, exc_info=None: told.append(status)))
    assert told == ["200 OK"], body
    return json.loads(body)


@pytest.mark.filterwarnings("ignore")  # those of the dashboard's own modules
def test_the_dashboard_shows_searches_with_states_and_values(lab, url):
    lab.run(STUDY, winners=False)
    history = lab.history(STUDY)
    app = optuna_dashboard.wsgi(dashboard_url(url))
    (summary,) = get(app, "/api/studies")["study_summaries"]
    assert summary["study_name"].startswith("demo / demo / fold 0 / CE (tuned) / ")
    assert summary["directions"] == ["maximize"]
    trials = get(app, f"/api/studies/{summary['study_id']}")["trials"]
    states = {"complete": "Complete", "pruned": "Pruned"}
    assert [each["state"] for each in trials] == [states[each.state] for each in history.tried]
    assert history.count("pruned") > 0
    for shown, tried in zip(trials, history.tried, strict=True):
        curve = {each["step"]: each["value"] for each in shown["intermediate_values"]}
        assert curve == dict(tried.curve)
        last = curve[max(curve)]  # which Optuna shows for what was pruned
        assert shown["values"] == [last if tried.value is None else tried.value]
        (rate,) = [each for each in shown["params"] if each["name"] == "learning_rate"]
        assert float(rate["param_external_value"]) == tried.parameters["learning_rate"]
