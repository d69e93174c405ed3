"""The reality gap: the same policy in the dreams of a world model and in the environment that it is a model of."""

from zoo_core.reality_gap.calibration import Bin, RewardCalibration, TerminationCalibration
from zoo_core.reality_gap.dreams import Returns
from zoo_core.reality_gap.measure import gap
from zoo_core.reality_gap.open_loop import Drift, ErrorCurve, OpenLoop
from zoo_core.reality_gap.report import GapReport
from zoo_core.reality_gap.uncertainty import Coverage

__all__ = [
    "Bin",
    "Coverage",
    "Drift",
    "ErrorCurve",
    "GapReport",
    "OpenLoop",
    "Returns",
    "RewardCalibration",
    "TerminationCalibration",
    "gap",
]
