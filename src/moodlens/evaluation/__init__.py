"""How good a model is: figures, calibration, robustness, and the report that shows them."""

from moodlens.evaluation.evaluate import Evaluation, evaluate, evaluate_detected, framing

__all__ = ["Evaluation", "evaluate", "evaluate_detected", "framing"]
