"""The choice of contenders, their metrics and what is written of them."""

import json

import numpy as np
import pytest

from facial_expression import evaluation, scoring
from facial_expression.calibration import fit_temperature
from facial_expression.ensembling import fit_weights, soft_vote, soften

CLASSES = ("angry", "happy", "sad")
NAMES = ["shallow", "shallow_ensemble", "wide", "wide_ensemble", "resnet", "resnet_ensemble", "ensemble"]


def answers(predictions, confidence=0.8):
    """Probabilities that give each predicted class ``confidence``."""
    rest = (1 - confidence) / (len(CLASSES) - 1)
    return np.where(np.eye(len(CLASSES))[np.asarray(predictions)] == 1, confidence, rest).astype(np.float32)


def random_case(seed=0, snapshots=4, validation=30, test=50):
    """Three families of random snapshots every 100 iterations, and the labels of both parts."""
    random = np.random.default_rng(seed)
    families = {
        family: {
            100 * step: tuple(random.dirichlet(np.ones(3), n).astype(np.float32) for n in (validation, test))
            for step in range(1, snapshots + 1)
        }
        for family in ("shallow", "wide", "resnet")
    }
    return families, random.integers(0, 3, validation), random.integers(0, 3, test)


def run(families, validation_labels, test_labels, **options):
    options = {"ensemble_last": 2, "seed": 0} | options
    contenders = evaluation.evaluate(families, validation_labels, test_labels, CLASSES, **options)
    return {contender.name: contender for contender in contenders}


def test_contenders_and_what_stands_behind_them():
    families, validation_labels, test_labels = random_case()
    contenders = run(families, validation_labels, test_labels)
    assert list(contenders) == NAMES
    ensemble = contenders["wide_ensemble"]
    assert ensemble.snapshots == {"wide": (300, 400)}
    assert ensemble.weights == {"wide": 1.0}
    expected = soft_vote([families["wide"][300][1], families["wide"][400][1]])
    np.testing.assert_array_equal(ensemble.probabilities, expected)
    single = contenders["shallow"]
    assert single.snapshots == {"shallow": (single.iterations,)}
    np.testing.assert_array_equal(single.probabilities, families["shallow"][single.iterations][1])
    assert contenders["ensemble"].snapshots == {family: (300, 400) for family in families}
    assert contenders["ensemble"].iterations == 400


def test_overall_ensemble_votes_with_weights_of_the_validation_part():
    families, validation_labels, test_labels = random_case(3)
    contenders = run(families, validation_labels, test_labels)
    votes = [soft_vote([snapshots[i][0] for i in (300, 400)]) for snapshots in families.values()]
    weights = fit_weights(votes, validation_labels)
    ensemble = contenders["ensemble"]
    assert ensemble.weights == dict(zip(families, weights, strict=True))
    members = [contenders[f"{family}_ensemble"].probabilities for family in families]
    np.testing.assert_array_equal(ensemble.probabilities, soft_vote(members, weights))


def test_overall_ensemble_can_vote_alike():
    case = random_case(3)
    contenders = run(*case, family_weights="equal")
    members = [contenders[f"{family}_ensemble"].probabilities for family in case[0]]
    assert set(contenders["ensemble"].weights.values()) == {1 / 3}
    np.testing.assert_allclose(contenders["ensemble"].probabilities, np.mean(members, axis=0), atol=1e-6)


def test_each_contender_is_softened_with_a_temperature_of_its_validation_votes():
    families, validation_labels, test_labels = random_case(3)
    sharp = run(families, validation_labels, test_labels)
    soft = run(families, validation_labels, test_labels, temperature=True)
    votes = {f"{family}_ensemble": soft_vote([s[i][0] for i in (300, 400)]) for family, s in families.items()}
    votes["ensemble"] = soft_vote(list(votes.values()), list(sharp["ensemble"].weights.values()))
    votes |= {family: snapshots[sharp[family].iterations][0] for family, snapshots in families.items()}
    for name, contender in soft.items():
        assert (
            contender.temperature == contender.metrics["temperature"] == fit_temperature(votes[name], validation_labels)
        )
        expected = soften(sharp[name].probabilities, contender.temperature)
        np.testing.assert_array_equal(contender.probabilities, expected)
    assert len({contender.temperature for contender in soft.values()}) > 3


def test_temperature_changes_calibration_and_nothing_else():
    case = random_case(3)
    sharp, soft = run(*case), run(*case, temperature=True)
    assert {contender.temperature for contender in sharp.values()} == {1.0}
    for name in NAMES:
        assert (soft[name].snapshots, soft[name].weights) == (sharp[name].snapshots, sharp[name].weights)
        np.testing.assert_array_equal(soft[name].predictions, sharp[name].predictions)
        changed = {key for key, value in soft[name].metrics.items() if value != sharp[name].metrics[key]}
        assert changed <= {"ece", "temperature"}
    assert any(soft[name].metrics["ece"] != sharp[name].metrics["ece"] for name in NAMES)


def test_choice_is_made_on_the_validation_part_where_the_test_part_would_choose_otherwise():
    labels = np.array([0, 1, 2, 0])
    wrong = (labels + 1) % 3
    good_then_bad = {100: (answers(labels), answers(wrong)), 200: (answers(wrong), answers(labels))}
    always_bad = {100: (answers(wrong), answers(labels)), 200: (answers(wrong), answers(labels))}
    contenders = run({"shallow": good_then_bad, "wide": always_bad}, labels, labels, ensemble_last=1)
    assert contenders["shallow"].iterations == 100
    assert contenders["shallow"].metrics["accuracy"] == 0
    good_alone = run({"shallow": {100: good_then_bad[100]}, "wide": {100: always_bad[100]}}, labels, labels)
    assert good_alone["ensemble"].weights == {"shallow": 1, "wide": 0}
    assert good_alone["ensemble"].metrics["accuracy"] == 0


def test_nothing_that_is_chosen_depends_on_the_test_part():
    families, validation_labels, test_labels = random_case(1)
    shuffled = {
        family: {iteration: (validation, test[::-1]) for iteration, (validation, test) in snapshots.items()}
        for family, snapshots in families.items()
    }
    first = run(families, validation_labels, test_labels, temperature=True).values()
    second = run(shuffled, validation_labels, (test_labels + 1) % 3, temperature=True).values()
    assert [(c.snapshots, c.weights, c.temperature) for c in first] == [
        (c.snapshots, c.weights, c.temperature) for c in second
    ]


def test_among_equally_good_snapshots_the_later_is_chosen_in_any_order():
    labels = np.array([0, 1, 2])
    snapshots = {iteration: (answers(labels), answers(labels)) for iteration in (300, 1000, 200)}
    contenders = run({"shallow": snapshots}, labels, labels)
    assert contenders["shallow"].iterations == 1000
    assert contenders["shallow_ensemble"].snapshots == {"shallow": (300, 1000)}


def test_overall_ensemble_counts_the_longest_training():
    families, validation_labels, test_labels = random_case()
    families["wide"][900] = families["wide"].pop(400)
    contenders = run(families, validation_labels, test_labels)
    assert [contenders[name].iterations for name in NAMES if "ensemble" in name] == [400, 900, 400, 900]


def test_fewer_snapshots_than_asked_for_all_vote():
    contenders = run(*random_case(snapshots=2), ensemble_last=9)
    assert contenders["resnet_ensemble"].snapshots == {"resnet": (100, 200)}


def test_metrics_by_hand():
    validation_labels, test_labels = np.array([0]), np.array([0, 0, 1, 1])
    snapshots = {700: (answers([0]), answers([0, 0, 1, 0]))}
    metrics = run({"shallow": snapshots}, validation_labels, test_labels)["shallow"].metrics
    assert list(metrics) == [
        *("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece", "n", "iterations", "recall"),
        *("temperature", "validation_accuracy"),
    ]
    assert metrics["accuracy"] == 0.75
    assert metrics["macro_f1"] == 0.733333  # the mean of 4/5 and 2/3
    assert metrics["ece"] == 0.05  # confidence 0.8
    assert metrics["n"] == 4
    assert metrics["iterations"] == 700
    assert metrics["recall"] == {"angry": 1.0, "happy": 0.5, "sad": None}
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == (0.25, 1.0)
    assert metrics["temperature"] == 1.0
    assert metrics["validation_accuracy"] == 1.0


def test_validation_accuracy_is_that_of_the_voters_on_the_validation_part():
    families, validation_labels, test_labels = random_case(4)
    contenders = run(families, validation_labels, test_labels)

    def accuracy(probabilities):
        return round(float(np.mean(probabilities.argmax(axis=1) == validation_labels)), 6)

    votes = {family: soft_vote([snapshots[i][0] for i in (300, 400)]) for family, snapshots in families.items()}
    weights = list(contenders["ensemble"].weights.values())
    expected = {"ensemble": accuracy(soft_vote(list(votes.values()), weights))}
    for family, snapshots in families.items():
        expected[family] = max(accuracy(arrays[0]) for arrays in snapshots.values())
        expected[f"{family}_ensemble"] = accuracy(votes[family])
    assert {name: contender.metrics["validation_accuracy"] for name, contender in contenders.items()} == expected
    assert len(set(expected.values())) > 2
    other = run(families, validation_labels, (test_labels + 1) % 3)
    assert {name: contender.metrics["validation_accuracy"] for name, contender in other.items()} == expected


def test_metrics_by_name_in_the_contenders_order():
    contenders = list(run(*random_case()).values())
    metrics = evaluation.metrics(contenders)
    assert list(metrics) == NAMES
    assert metrics == {contender.name: contender.metrics for contender in contenders}
    assert evaluation.metrics(contenders[2:3]) == {"wide": contenders[2].metrics}


def test_selection_says_who_votes_and_how_much():
    families, validation_labels, test_labels = random_case(3)
    contenders = run(families, validation_labels, test_labels)
    selection = evaluation.selection(list(contenders.values()))
    assert list(selection) == NAMES
    best = contenders["resnet"].iterations
    assert selection["resnet"] == {"snapshots": {"resnet": [best]}, "weights": {"resnet": 1.0}}
    assert selection["wide_ensemble"] == {"snapshots": {"wide": [300, 400]}, "weights": {"wide": 1.0}}
    assert selection["ensemble"]["snapshots"] == {family: [300, 400] for family in families}
    assert selection["ensemble"]["weights"] == pytest.approx(contenders["ensemble"].weights)
    assert json.loads(json.dumps(selection)) == selection


@pytest.mark.parametrize("family_weights", ["fitted", "equal"])
def test_selection_is_enough_to_vote_again(family_weights):
    case = random_case(3)
    contenders = run(*case, family_weights=family_weights)
    selection = evaluation.selection(list(contenders.values()))
    for name, contender in contenders.items():
        chosen = selection[name]
        votes = [
            soft_vote([case[0][family][iteration][1] for iteration in iterations])
            for family, iterations in chosen["snapshots"].items()
        ]
        assert list(chosen["snapshots"]) == list(chosen["weights"])
        again = soft_vote(votes, list(chosen["weights"].values()))
        np.testing.assert_allclose(again, contender.probabilities, atol=1e-6)


def test_a_single_face():
    metrics = run({"wide": {1: (answers([1]), answers([1]))}}, np.array([1]), np.array([1]))["ensemble"].metrics
    assert (metrics["accuracy"], metrics["accuracy_low"], metrics["accuracy_high"], metrics["n"]) == (1, 1, 1, 1)


def test_bootstrap_samples_reach_the_interval():
    case = random_case()
    few, many = (run(*case, bootstrap_samples=samples)["ensemble"].metrics for samples in (1, 1000))
    assert few["accuracy_low"] == few["accuracy_high"]
    assert many["accuracy_low"] < many["accuracy_high"]


def test_comparisons_test_the_same_faces():
    families, validation_labels, test_labels = random_case(2)
    contenders = run(families, validation_labels, test_labels)
    table = evaluation.comparisons(list(contenders.values()), test_labels)
    assert list(zip(table["first"], table["second"], strict=True)) == [
        ("shallow_ensemble", "shallow"),
        ("wide_ensemble", "wide"),
        ("resnet_ensemble", "resnet"),
        ("ensemble", "shallow_ensemble"),
        ("ensemble", "wide_ensemble"),
        ("ensemble", "resnet_ensemble"),
    ]
    for row in table.itertuples():
        predictions = (contenders[name].predictions for name in (row.first, row.second))
        test = scoring.mcnemar(test_labels, *predictions)
        assert (row.only_first_correct, row.only_second_correct) == test[:2]
        assert row.p_value == pytest.approx(test.p_value, rel=0.006)


def test_predictions_table():
    probabilities = np.float32([[0.7, 0.2, 0.1], [0.123456, 0.3, 0.576544]])
    families = {"shallow": {5: (answers([0]), probabilities)}}
    contenders = run(families, np.array([0]), np.array([0, 1])).values()
    table = evaluation.predictions_table(list(contenders), np.array([17, 4]), np.array([0, 1]), CLASSES)
    assert list(table)[:6] == ["row", "emotion", "shallow", "shallow_angry", "shallow_happy", "shallow_sad"]
    assert len(list(table)) == 2 + 3 * 4
    assert list(table["row"]) == [17, 4]
    assert list(table["emotion"]) == ["angry", "happy"]
    assert list(table["shallow"]) == ["angry", "sad"]
    assert list(table["shallow_angry"]) == [0.7, 0.1235]
    assert table.to_csv(index=False).splitlines()[1].startswith("17,angry,angry,0.7,0.2,0.1,angry,")


def test_written_metrics_are_deterministic_and_in_order(tmp_path):
    for name in ("first.json", "second.json"):
        evaluation.write_metrics(tmp_path / name, list(run(*random_case()).values()))
    text = (tmp_path / "first.json").read_bytes()
    assert text == (tmp_path / "second.json").read_bytes()
    assert text.endswith(b"}\n")
    assert b'\n  "shallow": {\n    "accuracy": 0.' in text
    metrics = json.loads(text)
    assert list(metrics) == NAMES
    fractions = [value for entry in metrics.values() for value in entry.values() if isinstance(value, float)]
    assert len(fractions) == 7 * len(NAMES)
    assert all(round(value, 6) == value for value in fractions)


def test_failed_write_leaves_the_former_metrics(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("former")
    contender = next(iter(run(*random_case()).values()))
    contender.metrics["ece"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        evaluation.write_metrics(path, [contender])
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("metrics.json", "former")]


def spoil(change):
    """The arguments of a small valid evaluation after ``change``."""
    arguments = {
        "families": {"wide": {300: (answers([0, 1]), answers([2, 1, 0]))}},
        "validation_labels": np.array([0, 1]),
        "test_labels": np.array([2, 1, 0]),
    }
    change(arguments)
    return arguments


def put(part, array):
    def change(arguments):
        arrays = list(arguments["families"]["wide"][300])
        arrays[part] = array
        arguments["families"]["wide"][300] = tuple(arrays)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(families={}), "no family"),
        (lambda a: a["families"].update(resnet={}), "resnet has no snapshot"),
        (lambda a: a.update(test_labels=np.array([], int)), "test part has no faces"),
        (lambda a: a.update(test_labels=np.array([2, 3, 0])), "test label 3 of face 1"),
        (lambda a: a.update(validation_labels=np.array([-1, 0])), "validation label -1 of face 0"),
        (lambda a: a.update(ensemble_last=0), "ensemble_last must be at least 1"),
        (put(1, answers([0, 1])), r"wide, iteration 300, test part: .* shape \(3, 3\), they have \(2, 3\)"),
        (put(0, answers([0, 1])[:, :2]), r"wide, iteration 300, validation part: .* shape"),
        (put(0, np.float32([[1, 0, 0], [1, 1, 0]])), "wide, iteration 300, validation part: .* face 1 "),
        (put(1, np.float32([[1, 0, 0], [0, 1, 0], [1.5, -0.5, 0]])), "test part: .* face 2 "),
        (put(1, np.float32([[1, 0, 0], [np.nan, 1, 0], [1, 0, 0]])), "test part: .* face 1 "),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        run(**spoil(change))
