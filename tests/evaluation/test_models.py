"""The choice of models, their metrics and what is written about them."""

import json

import numpy as np
import pytest

from facial_expression.evaluation import metrics
from facial_expression.evaluation.calibration import fit_temperature
from facial_expression.evaluation.ensemble_weights import fit_ensemble_weights
from facial_expression.evaluation.models import EvaluatedFaces, comparisons, evaluate_models, predictions_table
from facial_expression.probabilities import apply_temperature, soft_vote

CLASSES = ("angry", "happy", "sad")
NAMES = ["shallow", "shallow-ensemble", "wide", "wide-ensemble", "small", "small-ensemble", "ensemble"]


def confident(predictions, confidence=0.8):
    """Probabilities that give each predicted class ``confidence``."""
    rest = (1 - confidence) / (len(CLASSES) - 1)
    return np.where(np.eye(len(CLASSES))[np.asarray(predictions)] == 1, confidence, rest).astype(np.float32)


def make_faces(validation_labels, labels, detected=None):
    """Faces with these labels, all of them detected by default."""
    labels = np.asarray(labels)
    detected = np.ones(len(labels), bool) if detected is None else np.asarray(detected)
    return EvaluatedFaces(np.asarray(validation_labels), labels, detected, CLASSES)


def random_case(seed=0, snapshots=4, validation=30, test=50):
    """Three runs with random snapshots every 100 iterations, and the faces."""
    random = np.random.default_rng(seed)
    runs = {
        run: {
            100 * step: tuple(random.dirichlet(np.ones(3), n).astype(np.float32) for n in (validation, test))
            for step in range(1, snapshots + 1)
        }
        for run in ("shallow", "wide", "small")
    }
    labels = random.integers(0, 3, validation), random.integers(0, 3, test)
    return runs, make_faces(*labels, detected=random.random(test) < 0.7)


def with_other_test_labels(faces):
    return EvaluatedFaces(faces.validation_labels, (faces.labels + 1) % 3, faces.detected, CLASSES)


def evaluate(runs, faces, **options):
    """Models by name."""
    options = {"ensemble_last": 2, "seed": 0, "bootstrap_samples": 1000} | options
    return {model.name: model for model in evaluate_models(runs, faces, **options)}


def validation_votes(runs):
    """Run -> the validation part of its ensemble's soft vote."""
    return {run: soft_vote([snapshots[i][0] for i in (300, 400)]) for run, snapshots in runs.items()}


def best_iteration(model):
    ((iteration,),) = model.snapshots.values()
    return iteration


def test_models_are_best_snapshots_and_ensembles():
    runs, faces = random_case()
    models = evaluate(runs, faces)
    assert list(models) == NAMES
    ensemble = models["wide-ensemble"]
    assert ensemble.snapshots == {"wide": (300, 400)}
    assert ensemble.weights == {"wide": 1.0}
    expected = soft_vote([runs["wide"][300][1], runs["wide"][400][1]])
    np.testing.assert_array_equal(ensemble.probabilities, expected)
    single = models["shallow"]
    assert list(single.snapshots) == ["shallow"]
    assert single.weights == {"shallow": 1.0}
    assert single.metrics["iterations"] == best_iteration(single)
    np.testing.assert_array_equal(single.probabilities, runs["shallow"][best_iteration(single)][1])
    assert models["ensemble"].snapshots == {run: (300, 400) for run in runs}
    assert models["ensemble"].metrics["iterations"] == 400


def test_one_run_makes_three_models():
    runs, faces = random_case()
    models = evaluate({"small": runs["small"]}, faces)
    assert list(models) == ["small", "small-ensemble", "ensemble"]
    assert models["ensemble"].weights == {"small": 1.0}
    np.testing.assert_array_equal(models["ensemble"].probabilities, models["small-ensemble"].probabilities)


def test_ensemble_weights_are_fitted_on_the_validation_part():
    runs, faces = random_case(3)
    models = evaluate(runs, faces)
    weights = fit_ensemble_weights(list(validation_votes(runs).values()), faces.validation_labels)
    ensemble = models["ensemble"]
    assert ensemble.weights == dict(zip(runs, weights, strict=True))
    members = [models[f"{run}-ensemble"].probabilities for run in runs]
    np.testing.assert_array_equal(ensemble.probabilities, soft_vote(members, weights))


def test_equal_ensemble_weights():
    runs, faces = random_case(3)
    models = evaluate(runs, faces, ensemble_weights="equal")
    members = [models[f"{run}-ensemble"].probabilities for run in runs]
    assert set(models["ensemble"].weights.values()) == {1 / 3}
    np.testing.assert_allclose(models["ensemble"].probabilities, np.mean(members, axis=0), atol=1e-6)


def test_each_model_has_its_own_temperature():
    runs, faces = random_case(3)
    plain = evaluate(runs, faces)
    tempered = evaluate(runs, faces, temperature=True)
    votes = {f"{run}-ensemble": vote for run, vote in validation_votes(runs).items()}
    votes["ensemble"] = soft_vote(list(votes.values()), list(plain["ensemble"].weights.values()))
    votes |= {run: snapshots[best_iteration(plain[run])][0] for run, snapshots in runs.items()}
    for name, model in tempered.items():
        temperature = model.metrics["temperature"]
        assert temperature == fit_temperature(votes[name], faces.validation_labels)
        expected = apply_temperature(plain[name].probabilities, temperature)
        np.testing.assert_array_equal(model.probabilities, expected)
    assert len({model.metrics["temperature"] for model in tempered.values()}) > 3


def test_temperature_changes_calibration_alone():
    case = random_case(3)
    plain, tempered = evaluate(*case), evaluate(*case, temperature=True)
    assert {model.metrics["temperature"] for model in plain.values()} == {1.0}
    for name in NAMES:
        assert (tempered[name].snapshots, tempered[name].weights) == (plain[name].snapshots, plain[name].weights)
        np.testing.assert_array_equal(tempered[name].predictions, plain[name].predictions)
        changed = {key for key, value in tempered[name].metrics.items() if value != plain[name].metrics[key]}
        assert changed <= {"ece", "temperature"}
    assert any(tempered[name].metrics["ece"] != plain[name].metrics["ece"] for name in NAMES)


def test_chooses_by_validation_not_by_test_accuracy():
    labels = np.array([0, 1, 2, 0])
    wrong = (labels + 1) % 3
    faces = make_faces(labels, labels)
    good_then_bad = {100: (confident(labels), confident(wrong)), 200: (confident(wrong), confident(labels))}
    always_bad = {100: (confident(wrong), confident(labels)), 200: (confident(wrong), confident(labels))}
    models = evaluate({"shallow": good_then_bad, "wide": always_bad}, faces, ensemble_last=1)
    assert best_iteration(models["shallow"]) == 100
    assert models["shallow"].metrics["accuracy"] == 0
    good_alone = evaluate({"shallow": {100: good_then_bad[100]}, "wide": {100: always_bad[100]}}, faces)
    assert good_alone["ensemble"].weights == {"shallow": 1, "wide": 0}
    assert good_alone["ensemble"].metrics["accuracy"] == 0


def test_no_choice_depends_on_the_test_part():
    runs, faces = random_case(1)
    shuffled = {
        run: {iteration: (validation, test[::-1]) for iteration, (validation, test) in snapshots.items()}
        for run, snapshots in runs.items()
    }
    first = evaluate(runs, faces, temperature=True).values()
    second = evaluate(shuffled, with_other_test_labels(faces), temperature=True).values()
    assert [(model.snapshots, model.weights, model.metrics["temperature"]) for model in first] == [
        (model.snapshots, model.weights, model.metrics["temperature"]) for model in second
    ]


def test_later_of_equally_good_snapshots_is_chosen():
    labels = np.array([0, 1, 2])
    snapshots = {iteration: (confident(labels), confident(labels)) for iteration in (300, 1000, 200)}  # in any order
    models = evaluate({"shallow": snapshots}, make_faces(labels, labels))
    assert best_iteration(models["shallow"]) == 1000
    assert models["shallow-ensemble"].snapshots == {"shallow": (300, 1000)}


def test_iterations_of_ensemble_are_the_longest():
    runs, faces = random_case()
    runs["wide"][900] = runs["wide"].pop(400)
    models = evaluate(runs, faces)
    assert [models[name].metrics["iterations"] for name in NAMES if "ensemble" in name] == [400, 900, 400, 900]


def test_all_snapshots_vote_if_fewer_than_ensemble_last():
    models = evaluate(*random_case(snapshots=2), ensemble_last=9)
    assert models["small-ensemble"].snapshots == {"small": (100, 200)}


def test_metrics_by_hand():
    faces = make_faces([0], [0, 0, 1, 1], detected=[True, True, True, False])
    snapshots = {700: (confident([0]), confident([0, 0, 1, 0]))}
    values = evaluate({"shallow": snapshots}, faces)["shallow"].metrics
    assert values == {
        "accuracy": 0.75,
        "accuracy_low": 0.25,
        "accuracy_high": 1.0,
        "macro_f1": 0.733333,  # the mean of 4/5 and 2/3
        "ece": 0.05,  # confidence 0.8
        "n": 4,
        "recall": {"angry": 1.0, "happy": 0.5, "sad": None},
        "accuracy_detected": 1.0,
        "accuracy_missed": 0.0,
        "iterations": 700,
        "temperature": 1.0,
        "validation_accuracy": 1.0,
    }


@pytest.mark.parametrize(("detected", "expected"), [(True, (0.5, None)), (False, (None, 0.5))])
def test_accuracy_without_such_faces_is_none(detected, expected):
    faces = make_faces([0], [0, 1], detected=[detected] * 2)
    values = evaluate({"shallow": {1: (confident([0]), confident([0, 0]))}}, faces)["shallow"].metrics
    assert (values["accuracy_detected"], values["accuracy_missed"]) == expected


def test_detected_and_missed_faces_add_up():
    runs, faces = random_case(2)
    for model in evaluate(runs, faces).values():
        share = faces.detected.mean()
        total = share * model.metrics["accuracy_detected"] + (1 - share) * model.metrics["accuracy_missed"]
        assert total == pytest.approx(model.metrics["accuracy"], abs=2e-6)


def test_validation_accuracy_is_that_of_the_vote():
    runs, faces = random_case(4)
    models = evaluate(runs, faces)

    def accuracy(probabilities):
        return round(float(np.mean(probabilities.argmax(axis=1) == faces.validation_labels)), 6)

    votes = validation_votes(runs)
    expected = {"ensemble": accuracy(soft_vote(list(votes.values()), list(models["ensemble"].weights.values())))}
    for run, snapshots in runs.items():
        expected[run] = max(accuracy(arrays[0]) for arrays in snapshots.values())
        expected[f"{run}-ensemble"] = accuracy(votes[run])
    assert {name: model.metrics["validation_accuracy"] for name, model in models.items()} == expected
    assert len(set(expected.values())) > 2
    other = evaluate(runs, with_other_test_labels(faces))
    assert {name: model.metrics["validation_accuracy"] for name, model in other.items()} == expected


PARAMETERS = {"shallow": 100, "wide": 2000, "small": 30_000}


def test_record_has_metrics_members_and_parameters():
    models = evaluate(*random_case(3))
    records = {name: model.record(PARAMETERS) for name, model in models.items()}
    best = best_iteration(models["small"])
    assert records["small"] == models["small"].metrics | {
        "parameters": 30_000,
        "snapshots": {"small": [best]},
        "weights": {"small": 1.0},
    }
    assert records["wide-ensemble"]["snapshots"] == {"wide": [300, 400]}
    assert records["wide-ensemble"]["parameters"] == 4000  # of two snapshots
    assert records["ensemble"]["snapshots"] == {run: [300, 400] for run in PARAMETERS}
    assert records["ensemble"]["weights"] == models["ensemble"].weights
    assert records["ensemble"]["parameters"] == 2 * 32_100


@pytest.mark.parametrize("temperature", [False, True])
def test_record_is_plain_and_rounded_json(temperature):
    for model in evaluate(*random_case(3), temperature=temperature).values():
        record = model.record(PARAMETERS)
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        fractions = [value for value in (*record.values(), *record["recall"].values()) if isinstance(value, float)]
        assert len(fractions) > 8
        assert all(round(value, 6) == value for value in fractions)


def test_compared_metrics_are_a_few_of_all():
    model = evaluate(*random_case())["small-ensemble"]
    values = model.metrics
    assert list(model.compared_metrics) == ["accuracy", "low", "high", "macro_f1", "ece"]
    expected = {name: values[name] for name in ("accuracy", "macro_f1", "ece")}
    assert model.compared_metrics == expected | {"low": values["accuracy_low"], "high": values["accuracy_high"]}


@pytest.mark.parametrize("ensemble_weights", ["fitted", "equal"])
def test_record_is_enough_to_vote_again(ensemble_weights):
    runs, faces = random_case(3)
    for model in evaluate(runs, faces, ensemble_weights=ensemble_weights).values():
        record = model.record(PARAMETERS)
        assert list(record["snapshots"]) == list(record["weights"])
        votes = [
            soft_vote([runs[run][iteration][1] for iteration in iterations])
            for run, iterations in record["snapshots"].items()
        ]
        again = soft_vote(votes, list(record["weights"].values()))
        np.testing.assert_allclose(again, model.probabilities, atol=1e-6)


def test_single_face():
    values = evaluate({"wide": {1: (confident([1]), confident([1]))}}, make_faces([1], [1]))["ensemble"].metrics
    assert (values["accuracy"], values["accuracy_low"], values["accuracy_high"], values["n"]) == (1, 1, 1, 1)


def test_bootstrap_samples_determine_the_interval():
    case = random_case()
    few, many = (evaluate(*case, bootstrap_samples=samples)["ensemble"].metrics for samples in (1, 1000))
    assert few["accuracy_low"] == few["accuracy_high"]
    assert many["accuracy_low"] < many["accuracy_high"]


def test_seed_determines_the_interval_alone():
    case = random_case()
    first, again, other = (evaluate(*case, seed=seed, bootstrap_samples=100) for seed in (1, 1, 2))
    for name in NAMES:
        assert first[name].metrics == again[name].metrics
        changed = {key for key, value in first[name].metrics.items() if value != other[name].metrics[key]}
        assert changed <= {"accuracy_low", "accuracy_high"}
    assert any(first[name].metrics != other[name].metrics for name in NAMES)


def test_comparisons_are_paired_on_the_same_faces():
    runs, faces = random_case(2)
    models = evaluate(runs, faces)
    table = comparisons(list(models.values()), faces.labels)
    assert list(zip(table["first"], table["second"], strict=True)) == [
        ("shallow-ensemble", "shallow"),
        ("wide-ensemble", "wide"),
        ("small-ensemble", "small"),
        ("ensemble", "shallow-ensemble"),
        ("ensemble", "wide-ensemble"),
        ("ensemble", "small-ensemble"),
    ]
    for row in table.itertuples():
        predictions = (models[name].predictions for name in (row.first, row.second))
        test = metrics.mcnemar(faces.labels, *predictions)
        assert (row.only_first_correct, row.only_second_correct) == test[:2]
        assert row.p_value == pytest.approx(test.p_value, rel=0.006)


def test_predictions_table():
    probabilities = np.float32([[0.7, 0.2, 0.1], [0.123456, 0.3, 0.576544]])
    faces = make_faces([0], [0, 1])
    models = list(evaluate({"shallow": {5: (confident([0]), probabilities)}}, faces).values())
    table = predictions_table(models, np.array([17, 4]), faces)
    assert list(table)[:6] == ["row", "emotion", "shallow", "shallow_angry", "shallow_happy", "shallow_sad"]
    assert len(list(table)) == 2 + 3 * 4
    assert list(table["row"]) == [17, 4]
    assert list(table["emotion"]) == ["angry", "happy"]
    assert list(table["shallow"]) == ["angry", "sad"]
    assert list(table["shallow_angry"]) == [0.7, 0.1235]
    assert table.to_csv(index=False).splitlines()[1].startswith("17,angry,angry,0.7,0.2,0.1,angry,")


def change_faces(**labels):
    """Replace labels of the small evaluation in :func:`test_bad_input_is_named`."""

    def change(arguments):
        now = {"validation_labels": arguments["faces"].validation_labels, "labels": arguments["faces"].labels} | labels
        arguments["faces"] = make_faces(**now)

    return change


def put(part, array):
    """Replace probabilities of its only snapshot."""

    def change(arguments):
        arrays = list(arguments["runs"]["wide"][300])
        arrays[part] = array
        arguments["runs"]["wide"][300] = tuple(arrays)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(runs={}), "no run to evaluate"),
        (lambda a: a["runs"].update(small={}), "small has no snapshot"),
        (change_faces(labels=np.array([], int)), "test part has no faces"),
        (change_faces(validation_labels=np.array([], int)), "validation part has no faces"),
        (change_faces(labels=[2, 3, 0]), "test label 3 of face 1"),
        (change_faces(validation_labels=[-1, 0]), "validation label -1 of face 0"),
        (lambda a: a.update(ensemble_last=0), "ensemble_last must be at least 1, not 0"),
        (put(1, confident([0, 1])), r"wide, iteration 300, test part: .* shape \(3, 3\), not \(2, 3\)"),
        (put(0, confident([0, 1])[:, :2]), r"wide, iteration 300, validation part: .* shape"),
        (put(0, np.float32([[1, 0, 0], [1, 1, 0]])), "wide, iteration 300, validation part: .* face 1 "),
        (put(1, np.float32([[1, 0, 0], [0, 1, 0], [1.5, -0.5, 0]])), "test part: .* face 2 "),
        (put(1, np.float32([[1, 0, 0], [np.nan, 1, 0], [1, 0, 0]])), "test part: .* face 1 "),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {
        "runs": {"wide": {300: (confident([0, 1]), confident([2, 1, 0]))}},
        "faces": make_faces([0, 1], [2, 1, 0]),
    }
    change(arguments)
    with pytest.raises(ValueError, match=message):
        evaluate(**arguments)
