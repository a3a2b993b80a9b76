"""The pipeline that the benchmark of faults disturbs."""

from benchmarks.faults import small_pipeline
from facial_expression.params import load_params
from tools.demo import make_copy


def test_small_pipeline_has_valid_parameters_and_one_run_of_each_network(tmp_path):
    make_copy(tmp_path, small_pipeline())
    params = load_params(tmp_path / "params.yaml")
    assert sorted(run.stage for run in params.all_runs.values()) == ["resnet", "shallow", "wide"]
    assert list(params.evaluate) == [params.export.report]
