"""Labelled face pictures: FER2013 as a table, folders of classes, FER+ votes, and twins."""

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.fer2013 import read_fer2013, read_ferplus
from moodlens.datasets.folders import PictureFolder, list_folder
from moodlens.datasets.loading import load_dataset

__all__ = [
    "FaceDataset",
    "PictureFolder",
    "list_folder",
    "load_dataset",
    "read_fer2013",
    "read_ferplus",
]
