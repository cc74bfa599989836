"""Evaluation: feature files in, exact rankings, scores and their uncertainty out."""
