import pytest

from engine import budget, weights
from engine.bench import Calibration, Rate, machine
from engine.budget import Budget, Option
from engine.catalogue import Catalogue
from engine.errors import UsageError
from engine.network import NetworkSpec
from tests.windows import mild

SMALL, LARGE = NetworkSpec(2, 1, 4), NetworkSpec(2, 3, 8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 min", Budget(120)),
        ("5 Wh", Budget(None, 18e6)),
        ("1 h 30 min, 20 kJ", Budget(5400, 20e6)),
        ("1,5 min; 500 J", Budget(90, 5e5)),
        ("90s", Budget(90)),
    ],
)
def test_a_budget_is_read(text, expected):
    read = budget.parse(text)
    assert (read.seconds, read.energy_mj) == pytest.approx((expected.seconds, expected.energy_mj))


@pytest.mark.parametrize("text", ["", "2", "2 apples", "min", "0 min", "2 min of it", "-3 s"])
def test_what_is_no_budget_is_refused_in_words(text):
    with pytest.raises(UsageError, match="not a budget"):
        budget.parse(text)


def test_the_best_that_stays_within_is_taken():
    options = [
        Option("plain", "fp32", 36.0, 10, 100),
        Option("good", "fp32", 37.0, 60, 900),
        Option("same, slower", "fp32", 37.0, 70, 800),
        Option("best", "fp32", 38.0, 300, 4000),
        Option("unknown energy", "fp32", 39.0, 20, None),
    ]
    assert budget.best(options, Budget(100)).model == "unknown energy"
    assert budget.best(options, Budget(100, 1000)).model == "good"
    assert budget.best(options, Budget(None, 850)).model == "same, slower"
    assert budget.best(options, Budget(None, 1e9)).model == "best"
    assert budget.best(options, Budget(5)) is None
    assert budget.cheapest(options, Budget(5)).model == "plain"
    assert budget.cheapest(options, Budget(None, 5)).model == "plain"


def test_times_and_energies_come_from_this_machines_calibration(tmp_path, random_model):
    for name, spec, figure in (("small-x2", SMALL, 36.5), ("large-x2", LARGE, 37.5), ("other-x3", NetworkSpec(3, 1, 4), 33.0)):
        model = mild(random_model(spec), name)
        weights.write(weights.replace(model, about={**model.about, "psnr": {"Set5": figure}}), tmp_path / f"{name}.safetensors")
    rates = (Rate("onnx", "fp32", SMALL, 100.0), Rate("onnx", "fp32", LARGE, 1000.0), Rate("native", "fp32", LARGE, 500.0))
    known = budget.options(Catalogue([tmp_path]).entries(), Calibration(machine(), rates, 20.0), 2_000_000, 2)
    found = {option.model: option for option in known}
    assert set(found) == {"small-x2", "large-x2"}
    assert found["large-x2"].seconds == pytest.approx(1.0)
    assert found["large-x2"].energy_mj == pytest.approx(20_000)
    assert found["large-x2"].psnr == 37.5
    unknown = budget.options(Catalogue([tmp_path]).entries(), Calibration(machine(), rates), 2_000_000, 2)
    assert all(option.energy_mj is None for option in unknown)
