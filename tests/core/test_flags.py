from edge.core.carbon import flags
from edge.core.numbers.quality import NAMES, Quality


def test_every_flag_has_a_place_and_a_rank():
    assert sorted(flags.ORDER, key=ord) == sorted(flags.PRECEDENCE, key=ord)
    assert flags.ORDER[:8] == "NFMSDCTB"  # Table 8
    assert [flags.position(flag) for flag in flags.ORDER] == list(range(9))
    assert flags.position("?") == flags.position("D")


def test_the_strongest_of_several():
    assert flags.strongest("") == "N"
    assert flags.strongest("NB") == "B"
    assert flags.strongest("BC") == "C"  # unplugged while calibrating: the calibration explains it
    assert flags.strongest("CDM") == "M"
    assert flags.strongest("NS") == "S"
    assert flags.strongest("N?") == "D"
    for rank, flag in enumerate(flags.PRECEDENCE):
        for weaker in flags.PRECEDENCE[rank:]:
            assert flags.strongest(flag + weaker) == flags.strongest(weaker + flag) == flag


def test_three_quarters_make_a_period_normal():
    assert flags.summary(45, 60) == "N"
    assert flags.summary(44, 60) == "D"
    assert flags.summary(3, 4) == "N"
    assert flags.summary(749, 1000) == "D"
    assert flags.summary(0, 0) == "D"


def test_states_and_qualities():
    assert [flags.of_state(state) for state in (0, 1, 2, 3, 4, -1)] == list("NMDCDD")
    assert flags.of_state(None) == "B"
    found = "".join([flags.of_quality(code) for code in range(len(NAMES))])
    assert found == "NDTBBDDBDD"
    assert flags.of_quality(Quality.RANGE) == "T"


def test_windows_that_an_operator_declared():
    windows = [(1000, 2000, "C"), (1500, 3000, "M")]
    found = [flags.declared(windows, at) for at in (999, 1000, 1499, 1500, 1999, 2999, 3000)]
    assert found == list("NCCMMMN")
