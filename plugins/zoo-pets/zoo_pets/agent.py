"""PETS: probabilistic ensembles with trajectory sampling (Chua et al. 2018, arXiv:1805.12114)."""

from __future__ import annotations

from zoo_pets.config import PETSConfig
from zoo_planners.planning_agent import PlanningAgent


class PETSAgent(PlanningAgent):
    """Learns how sure its model is, and plans by that: returns are means over particles that run through the members of
    a probabilistic ensemble (Chua et al. 2018, arXiv:1805.12114, algorithm 1).

    | the paper's | is here |
    |---|---|
    | model f~ of B networks, fitted to D | `model`, `model.num_members`, `replay` |
    | trajectory sampling: TS∞, TS1 | `model.propagation` |
    | P particles of each sequence of actions | `planner.num_particles` |
    | T, NSamples of CEM | `planner.horizon`, `planner.num_candidates` |
    | TaskHorizon | `trial_steps` |

    The reward is learned, or known: `model.reward_fn`.

    Differs from the paper: the model is fitted when a trial ends rather than when the next one begins, so that whoever
    stops has a model of all the data; what differs in the model and in CEM is said there.
    """

    config_class = PETSConfig
    config: PETSConfig

    def iterate(self) -> dict[str, float]:
        """Makes one trial, the first at random (line 1), and trains the model on all data (line 3).

        In every other trial `collect_by_planning` takes at each step the first action of what CEM finds (lines 4 to
        10); the rest of the plan is where CEM begins at the next.
        """
        if self.round == 0:
            trial = self.collect_at_random(self.config.initial_steps)
        else:
            trial = self.collect_by_planning(self.config.trial_steps)
        if self.env.stop:
            return trial
        return {**trial, **self.fit()}
