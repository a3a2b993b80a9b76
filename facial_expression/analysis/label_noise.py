"""Labels that are likely wrong, by confident learning (Northcutt, Jiang & Chuang 2021, sections 3.1 and 3.3)."""

import numpy as np


def suspect_labels(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces whose label is likely wrong, the most suspicious first.

    A face counts as another class if the model is at least as confident of it as it is, on average, of the faces that
    carry its label. Suspects are ranked by the margin: probability of the label minus that of the other class.

    Args:
        labels: int, shape (N,).
        probabilities: float, shape (N, classes), of a model that was not trained on these faces.

    Returns:
        Two int arrays: indices of the suspects, and the class that the model suggests for each.
    """
    classes = probabilities.shape[1]
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    # A class that no face carries is never suggested.
    usual = np.array([own[labels == one].mean() if (labels == one).any() else np.inf for one in range(classes)])
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    suggested = confident.argmax(axis=1)
    suspects = np.flatnonzero((confident.max(axis=1) >= 0) & (suggested != labels))
    margin = own[suspects] - probabilities[suspects, suggested[suspects]]
    order = suspects[np.argsort(margin, kind="stable")]
    return order, suggested[order]
