"""The random source: keyed, not continued, and the same for ever."""

from knock import noise

import numpy as np


def test_a_stream_depends_on_its_key_alone():
    later = noise.uniform(3, 700, "z", (5,))
    noise.uniform(3, 1, "z", (1000,))
    assert np.array_equal(later, noise.uniform(3, 700, "z", (5,)))


def test_every_part_of_the_key_counts():
    keys = [(0, 0, "z"), (1, 0, "z"), (0, 1, "z"), (0, 0, "y"), (1, 10, "z"), (11, 0, "z")]
    drawn = {noise.uniform(*key, (4,)).tobytes() for key in keys}
    assert len(drawn) == len(keys)


def test_more_numbers_of_a_stream_begin_with_fewer():
    assert np.array_equal(noise.uniform(0, 0, "z", (9,))[:4], noise.uniform(0, 0, "z", (4,)))


def test_the_numbers_never_change():
    """Checkpoints and published pictures rest on them: a change here breaks every one."""
    assert noise.bits(0, 0, "weights", 2).tolist() == [4008864552715200698, 12316341024302971381]
    assert np.allclose(noise.normal(0, 0, "n", (2,)), [-0.4464241132527974, 0.9152111606960828])
    assert noise.permutation(0, 0, "data", 6).tolist() == [4, 0, 5, 2, 3, 1]


def test_uniform_fills_its_range_evenly():
    values = noise.uniform(0, 0, "u", (4, 25_000), -1.0, 3.0)
    assert values.shape == (4, 25_000)
    assert values.dtype == np.float64
    assert values.min() >= -1.0
    assert values.max() < 3.0
    counts, _ = np.histogram(values, bins=20, range=(-1, 3))
    assert abs(counts / 5_000 - 1).max() < 0.06


def test_normal_is_normal():
    values = noise.normal(1, 0, "n", (100_001,), mean=2.0, std=0.5)
    z = (values - 2.0) / 0.5
    assert values.shape == (100_001,)
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    assert abs((z**3).mean()) < 0.03
    assert abs((z**4).mean() - 3) < 0.1


def test_a_permutation_has_each_number_once():
    order = noise.permutation(0, 4, "p", 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert (order != noise.permutation(0, 5, "p", 1000)).any()
