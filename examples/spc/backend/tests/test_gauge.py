from statistics import fmean, pstdev

from spc import gauge


def test_a_slot_reads_the_same_again():
    assert gauge.readings("1", 7, 5, 10, 0.1) == gauge.readings("1", 7, 5, 10, 0.1)


def test_slots_keys_and_values_differ():
    read = [tuple(gauge.readings(key, slot, 5, 10, 0.1)) for key in "12" for slot in range(50)]
    assert len({value for values in read for value in values}) > 400


def test_it_drifts_for_a_fifth_of_the_time_and_comes_back():
    drifts = [gauge.drift("1", slot) for slot in range(6000)]
    assert drifts.count(0) == 4800
    assert max(drifts) == 2.5
    assert min(drifts) == -2.5


def test_between_drifts_it_varies_around_the_target():
    values = [
        value
        for slot in range(3000)
        if gauge.drift("1", slot) == 0
        for value in gauge.readings("1", slot, 2, 10, 0.1)
    ]
    assert abs(fmean(values) - 10) < 0.01
    assert abs(pstdev(values) - 0.1) < 0.01
