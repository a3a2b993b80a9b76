"""Evaluation: predictions, models and ensembles, metrics, calibration, tables and figures."""
