"""One door for every layout of data: a table of FER2013 or a folder of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.fer2013 import read_fer2013, read_ferplus
from moodlens.datasets.folders import list_folder
from moodlens.errors import DatasetError

TABLES = (".csv", ".csv.gz", ".csv.xz")


def load_dataset(path: Path | str, *, ferplus: Path | str | None = None) -> FaceDataset:
    """Labelled face crops from any layout that moodlens reads.

    Args:
        path: `fer2013.csv` (plain, .gz or .xz), Kaggle's `icml_face_data.csv`, or a folder with
            a sub-folder for each emotion, at its top or under train/ and test/.
        ferplus: `fer2013new.csv`, the FER+ votes; only for a table, whose rows it labels in
            the same order.

    Raises:
        DatasetError: a fault in the data; the message names the file and the line.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    if path.is_dir():
        if ferplus is not None:
            raise DatasetError(f"{path}: FER+ votes label the rows of a table, not of a folder")
        return list_folder(path).load()
    if not path.name.lower().endswith(TABLES):
        raise DatasetError(f"{path}: expected a folder or a table ({', '.join(TABLES)})")
    dataset = read_fer2013(path)
    return dataset if ferplus is None else join_votes(dataset, Path(ferplus))


def join_votes(dataset: FaceDataset, path: Path) -> FaceDataset:
    """The data set with FER+ votes, row i of the file labelling row i of the table.

    The FER+ file as published has votes for PrivateTest too; where the table lacks those rows
    at its end, so may the votes have them.

    Raises:
        DatasetError: another number of rows.
    """
    votes = read_ferplus(path)
    if len(votes) < len(dataset):
        raise DatasetError(
            f"{path}: {len(votes)} rows of votes for {len(dataset)} pictures; row i of the votes "
            "must label row i of the table"
        )
    return replace(dataset, votes=votes[: len(dataset)])
