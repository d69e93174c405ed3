"""Small, real world models of every kind, two planners and an environment: to test what works with any model.

Each learns or knows its world in a few dozen lines, so they are also examples of how to write one.
"""

from zoo_core.testing.fakes.broken import Altered
from zoo_core.testing.fakes.choices import Choices
from zoo_core.testing.fakes.corridor import Corridor
from zoo_core.testing.fakes.dict_model import DictModel, GoalModel
from zoo_core.testing.fakes.kalman import KalmanModel
from zoo_core.testing.fakes.lookup_table import LookupTable
from zoo_core.testing.fakes.mdn_rnn import MDNRNN
from zoo_core.testing.fakes.planners import CrossEntropyPlanner, TreeSearch
from zoo_core.testing.fakes.rssm import SmallRSSM
from zoo_core.testing.fakes.tic_tac_toe import TicTacToe, random_opponent
from zoo_core.testing.fakes.value_equivalent import ValueEquivalentModel

__all__ = [
    "MDNRNN",
    "Altered",
    "Choices",
    "Corridor",
    "CrossEntropyPlanner",
    "DictModel",
    "GoalModel",
    "KalmanModel",
    "LookupTable",
    "SmallRSSM",
    "TicTacToe",
    "TreeSearch",
    "ValueEquivalentModel",
    "random_opponent",
]
