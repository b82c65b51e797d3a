"""Trial decode: registers of known devices come out as what their profiles say they are."""

from edge.core.field.plausible import judge_float, judge_integer, judge_text, power_fits
from edge.core.field.trial import rank
from edge.core.numbers.words import decode_ratio

#: (registers, type, word order, byte order): what a profile's source says they hold.
CASES = (
    ((17255, 32768), "f32", "big", "big"),  # SDM630 voltage_l1: 231.50
    ((16713, 13107), "f32", "big", "big"),  # SDM630 current_l1: 12.575
    ((50473, 58163), "f32", "big", "big"),  # SDM630 active_power_l1: -2718.2
    ((0x436B, 0x5AB4), "f32", "big", "big"),  # printed in a manual: 235.35 V
    ((0x42DC, 0x6720), "f32", "big", "big"),  # printed in a manual: 110.20 A
    ((0x4248, 0x0C63), "f32", "big", "big"),  # printed in a manual: 50.012 Hz
    ((49480, 0), "f32", "big", "big"),  # 2flow MAG 11 volume_flow: -12.500
    ((1883, 52592), "u32", "big", "big"),  # 2flow MAG 11 cooling_energy_day: 123456.880
    ((0, 0, 188, 24920), "u64", "big", "big"),  # ABB B23 active_energy_import: 123456.88
    ((0, 2316), "u32", "big", "big"),  # ABB B23 voltage_l1: 231.6
    ((0, 1268), "u32", "big", "big"),  # ABB B23 current_l1: 12.68
    ((5048,), "u16", "big", "big"),  # ABB B23 frequency: 50.48
    ((17358, 19661), "f32", "big", "big"),  # ABB AZ40 coe_concentration: 412.60
    ((2316,), "u16", "big", "big"),  # Acrel ADL400 voltage_l1: 231.6
    ((65535, 62818), "i32", "big", "big"),  # Acrel ADL400 active_power_l1: -2718
    ((188, 24950), "i32", "big", "big"),  # Acrel ADW300 active_energy_import: 123457.18
    ((65411,), "i16", "big", "big"),  # Acrel DTSD1352 temperature_t1: -12.5
    ((16911, 26214), "f32", "big", "big"),  # Anrongxin AGA1000 no_concentration: 35.85
    ((2315, 0), "i32", "little", "big"),  # Carlo Gavazzi EM111 voltage_l1: 231.5
    ((12575, 0), "i32", "little", "big"),  # Carlo Gavazzi EM111 current_l1: 12.575
    ((504,), "i16", "big", "big"),  # Carlo Gavazzi EM111 frequency: 50.4
    ((16238, 5243), "f32", "big", "big"),  # Chint DDSU666 power_factor_total: 0.9300
    ((18417, 8330), "f32", "big", "big"),  # Chint DTSU666 active_energy_import: 123457.078
    ((54922, 18), "u32", "little", "big"),  # Deye hybrid battery_charge_energy: 123457.0
    ((62818,), "i16", "big", "big"),  # Deye hybrid grid_power: -2718
    ((842,), "u16", "big", "big"),  # Dongtai G3000UV o2_concentration: 8.42
    ((39322, 16281), "f32", "little", "big"),  # EMCO FP93B heat_flow: 1.2000
    ((13107, 49475), "f32", "little", "big"),  # EMCO FP93B medium_temperature: -12.20
    ((52684, 44097), "f32", "little", "little"),  # Flonidan UNIFLO heating_value: 21.600
    ((39577, 53568), "f32", "little", "little"),  # Flonidan UNIFLO gas_pressure: 6.5500
    ((26214, 16911), "f32", "little", "big"),  # FPI CEMS-2000 so2_concentration: 35.85
    ((16728, 52429), "f32", "big", "big"),  # Hefeng CEMS flue_gas_velocity: 13.550
    ((17298, 50790), "f32", "big", "big"),  # KROHNE GFC 300 medium_temperature: 293.55
    ((16632, 7382, 26214, 26214), "f64", "big", "big"),  # KROHNE GFC 300 counter_1: 98765.400
    ((12575, 0), "u32", "little", "big"),  # PZEM-004T current_l1: 12.575
    ((0, 0, 1883, 52992), "i64", "big", "big"),  # iEM3000 active_energy_import: 123457.280
    ((16797, 28477, 36864, 0), "f64", "big", "big"),  # PAC2200 energy: 123457.380
    ((64515, 65535), "i32", "little", "big"),  # Sungrow SG reactive_power_total: -1021
    ((62818, 65535), "i32", "little", "big"),  # Sungrow SH load_power: -2718
    ((33230, 1), "u32", "little", "big"),  # SUTO S430 volume_total: 98766
)


def readings(trial):
    return ((trial.kind, trial.word_order, trial.byte_order),) + trial.also


def test_the_right_reading_comes_first():
    wrong = []
    for registers, kind, word_order, byte_order in CASES:
        best = rank(registers)[0]
        if (kind, word_order, byte_order) not in readings(best):
            wrong.append((registers, kind, best))
    assert wrong == [], wrong


def test_several_values_in_one_read_share_their_type():
    registers = (0x436B, 0x5AB4, 0x42DC, 0x6720, 0x4248, 0x0C63)
    best = rank(registers)[0]
    assert (best.kind, best.word_order, best.byte_order) == ("f32", "big", "big")
    assert len(best.values) == 3
    assert best.values[0] == decode_ratio(0x436B5AB4, "f32")
    assert best.reason == "frequency" and best.index == 2


def test_every_order_and_type_is_shown_once():
    trials = rank((0x4366, 0x199A))
    seen = []
    for trial in trials:
        for reading in readings(trial):
            assert reading not in seen
            seen.append(reading)
    assert len([r for r in seen if r[0] == "f32"]) == 4
    assert len([r for r in seen if r[0] == "u16"]) == 2
    assert [t.score for t in trials] == sorted([t.score for t in trials], key=lambda s: -s)


def test_equal_readings_are_one_entry():
    best = rank((0, 2316))[0]
    assert ("i32", "big", "big") in best.also
    assert rank((7000,))[0].also == (("i16", "big", "big"),)


def test_text_is_text():
    best = rank((0x5344, 0x4D36, 0x3330, 0x2D4D, 0x0000))[0]
    assert (best.kind, best.text) == ("str", "SDM630-M")
    swapped = rank((0x4453, 0x364D, 0x3033, 0x4D2D))[1]
    assert (swapped.kind, swapped.byte_order, swapped.text) == ("str", "little", "SDM630-M")


def test_bcd_is_told_from_binary():
    best = rank((0x0012, 0x3457))[0]
    assert best.kind == "bcd32" and best.values == ((123457, 1),)


def test_power_of_three_values_speaks_for_their_order():
    registers = (0x4366, 0x0000, 0x4120, 0x0000, 0x3F66, 0x6666, 0x4501, 0x6000)  # 230 10 0.9 2070
    best = rank(registers)[0]
    assert (best.kind, best.reason) == ("f32", "power")


def test_power_fits_within_one_percent_only():
    values = [(230, 1), (10, 1), (9, 10)]
    assert power_fits(values + [(2070, 1)])
    assert power_fits(values + [(-2080, 1), (2060, 1)])
    assert not power_fits(values + [(2170, 1)])
    assert not power_fits([(12, 1), (10, 1), (9, 10), (108, 1)])
    assert not power_fits([None, (0, 1)])


def test_zeros_say_nothing():
    best = rank((0, 0))[0]
    assert (best.reason, best.score) == ("zeros", 50)


def test_a_float_that_no_meter_shows_is_absurd():
    assert judge_float(1, decode_ratio(1, "f32"), "f32") == (0, "denormal")
    assert judge_float(0x7FC00000, None, "f32") == (5, "not_a_number")
    assert judge_float(0x7F000000, decode_ratio(0x7F000000, "f32"), "f32")[1] == "absurd"
    assert judge_float(0x00800000, decode_ratio(0x00800000, "f32"), "f32")[1] == "absurd"


def test_integers_by_size():
    assert judge_integer(0xFFFFFFFF, (0xFFFFFFFF, 1), "u32") == (4, "absurd")
    assert judge_integer(40, (40, 1), "u32")[1] == "small"
    assert judge_integer(0xFFFF, (-1, 1), "i16") == (25, "negative")
    assert judge_integer(0xABCD, None, "bcd16") == (0, "not_decimal")


def test_text_needs_letters_and_clean_padding():
    assert judge_text(b"AB\x00C") == (0, "AB")
    assert judge_text(b"A\x01") == (0, "")
    assert judge_text(b"Eastron\x00")[0] > 80
    assert judge_text(b"{}<>&*")[0] == 15
