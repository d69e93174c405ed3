"""The report: every figure of the reality gap, as data, as a table, and in words."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo_core.reality_gap import words
from zoo_core.reality_gap.calibration import RewardCalibration, TerminationCalibration
from zoo_core.reality_gap.dreams import Returns
from zoo_core.reality_gap.open_loop import Drift, OpenLoop
from zoo_core.reality_gap.uncertainty import Coverage

HEADLINE_STEPS = 10  # k of the headline ratio, or the largest below it
INTERVAL = 0.9  # nominal probability of the headline interval


@dataclass(frozen=True)
class GapReport:
    """How far a policy's dreams are from reality.

    Attributes:
        model: Class of the world model.
        policy: Class of the policy.
        env: Id of the reality, or its class where it has none.
        env_kwargs: That it was made with, as plain JSON; empty where nobody told.
        episodes: Real episodes.
        num_steps: Their steps.
        horizon: Steps of an episode at most, in both worlds.
        seed: Of everything but an agent's own acting stream: the same seed gives the same report of a policy that
            is deterministic, random, or SB3's; a stochastic agent of the zoo draws on.
        deterministic: Whether the policy took its best actions.
        observation: What the policy saw, "decoded" or "latent".
        temperature: Of the dreams.
        open_loop: Predictions k steps ahead.
        drift: Dreamt beliefs against filtered ones.
        rewards: Calibration of one-step rewards.
        terminations: Calibration of one-step terminations.
        returns: Returns in both worlds; None if the policy cannot act in these dreams.
        coverage: Of predicted intervals; None if the model predicts none.
        epistemic_correlation: Rank correlation of reported epistemic uncertainty with the one-step error, or None.
        notes: Why a figure is missing, by its name.
    """

    model: str
    policy: str
    env: str
    env_kwargs: dict[str, Any]
    episodes: int
    num_steps: int
    horizon: int
    seed: int
    deterministic: bool
    observation: str
    temperature: float
    open_loop: OpenLoop
    drift: Drift
    rewards: RewardCalibration
    terminations: TerminationCalibration
    returns: Returns | None
    coverage: Coverage | None
    epistemic_correlation: float | None
    notes: dict[str, str]

    @property
    def reality(self) -> str:
        """The environment with its arguments."""
        return self.env + (f" with {json.dumps(self.env_kwargs)}" if self.env_kwargs else "")

    @property
    def verdict(self) -> str:
        """What the figures say, in one line."""
        sentences = [words.of_open_loop(self.open_loop) if self.open_loop.errors else self.notes["open_loop"]]
        if self.rewards.real_std > 0:
            sentences.append(words.of_rewards(self.rewards))
        if self.terminations.num_terminations:
            sentences.append(words.of_terminations(self.terminations))
        sentences.append(words.of_returns(self.returns) if self.returns else self.notes["returns"])
        if self.coverage:
            sentences.append(words.of_coverage(self.coverage, INTERVAL))
        return "; ".join(sentences)

    def summary(self) -> dict[str, float | str]:
        """Returns the headline figures for a model card; one that is missing is the reason for it."""
        found = self.open_loop
        place = max(i for i, k in enumerate(found.steps) if k <= HEADLINE_STEPS)
        ratios = [ratio for ratio in (curve.over_best(place) for curve in found.errors) if ratio is not None]
        error: float | None = self.returns.standard_error if self.returns else None
        return {
            "policy": self.policy,
            "episodes": self.episodes,
            "steps_ahead": found.steps[place],
            "error_over_best_baseline": max(ratios) if ratios else self.notes.get("open_loop", "a baseline never errs"),
            "reward_rmse": self.rewards.rmse,
            "dream_minus_real_return": self.returns.difference if self.returns else self.notes["returns"],
            "standard_error_of_that": "unknown" if error is None else error,
            "coverage_of_90_percent_intervals": self.coverage.at(INTERVAL) if self.coverage else self.notes["coverage"],
            "verdict": self.verdict,
        }

    def to_json(self) -> dict[str, Any]:
        """Returns everything as plain JSON data."""
        return {**asdict(self), "summary": self.summary()}

    def plot(self, path: str | Path) -> Path:
        """Draws the main figures, in six panels, into a PNG and returns its path."""
        from zoo_core.reality_gap.plot import draw

        return draw(self, Path(path))

    def __str__(self) -> str:
        return words.table(self)
