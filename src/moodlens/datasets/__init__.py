"""Labelled face pictures: FER2013 as a table, folders of classes, FER+ votes, and twins."""

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.fer2013 import read_fer2013, read_ferplus

__all__ = ["FaceDataset", "read_fer2013", "read_ferplus"]
