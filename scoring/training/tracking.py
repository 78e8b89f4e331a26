"""Keeps each training run with MLflow, in a folder of this machine: settings, figures and the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow

EXPERIMENT = "compact"


def keep(store: Path, identity: dict[str, Any], folder: Path) -> str:
    """Records what `model.json` says, and the files that say it. Returns the run's id."""
    store.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{(store / 'runs.sqlite').resolve()}")
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, (store / "files").resolve().as_uri())
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=identity["digest"][:12]) as run:
        mlflow.log_params(identity["settings"] | identity["trained_with"] | {"data_digest": identity["data_digest"]})
        mlflow.log_metrics(flat(identity["figures"]))
        for name in ("model.json", "calibration.json", "README.md"):
            mlflow.log_artifact(str(folder / name))
        return str(run.info.run_id)


def flat(figures: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers by dotted name; of a share with its interval, the share."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = float(value[0] if isinstance(value, list | tuple) else value)
    return found
