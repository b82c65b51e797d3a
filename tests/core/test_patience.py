from edge.core.bus.patience import FLOOR_MS, Patience


def test_a_stranger_gets_the_ceiling_and_an_old_friend_what_was_remembered():
    assert Patience(300).timeout_ms() == 300
    assert Patience(300, 80).timeout_ms() == 80
    assert Patience(300, 900).timeout_ms() == 300


def test_a_quick_station_is_waited_for_briefly():
    patience = Patience(1000)
    for _ in range(50):
        patience.heard(5_000)
    assert FLOOR_MS <= patience.timeout_ms() <= FLOOR_MS + 6


def test_a_slow_and_unsteady_station_is_waited_for_longer():
    patience = Patience(2000)
    for i in range(60):
        patience.heard(200_000 if i % 2 else 400_000)
    assert 500 <= patience.timeout_ms() <= 1000


def test_a_miss_widens_and_the_ceiling_holds():
    patience = Patience(400)
    patience.heard(5_000)
    before = patience.timeout_ms()
    patience.missed()
    assert patience.timeout_ms() > before
    for _ in range(100):
        patience.missed()
    assert patience.timeout_ms() == 400


def test_a_ceiling_below_the_floor_is_obeyed():
    patience = Patience(20)
    patience.heard(1_000)
    assert patience.timeout_ms() == 20


def test_what_is_remembered_moves_in_steps():
    patience = Patience(1000)
    patience.heard(3_000)
    steps = set()
    for latency_us in (3_000, 3_500, 2_900, 3_100, 4_000):
        patience.heard(latency_us)
        steps.add(patience.worth_remembering_ms())
    assert steps == {2 * FLOOR_MS} or steps == {FLOOR_MS, 2 * FLOOR_MS}
    patience.heard(900_000)
    assert patience.worth_remembering_ms() == 1000
