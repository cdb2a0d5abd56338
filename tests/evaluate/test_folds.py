"""The promises of a plan, as properties of random data; and what it refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import model_selection as sk

from manyfit.errors import ConfigError, DataError
from manyfit.evaluate import Split, plan

PROPERTY = settings(max_examples=60, deadline=None)


def parts(split):
    return split.train, split.validation, split.test


def check_disjoint(splits, n, whole=True):
    for split in splits:
        joined = np.concatenate(parts(split))
        assert len(np.unique(joined)) == len(joined)
        assert all(rows.dtype == np.int32 and (np.diff(rows) > 0).all() for rows in parts(split))
        assert len(split.train)
        assert len(split.test)
        if whole:
            assert len(joined) == n


def rows_tested(splits, repeat):
    return np.sort(np.concatenate([s.test for s in splits if s.repeat == repeat]))


@given(
    st.integers(6, 200),
    st.integers(2, 6),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.integers(0, 9),
)
@PROPERTY
def test_k_fold(n, folds, repeats, validation, seed):
    splits = plan(n, folds=folds, repeats=repeats, validation=validation, seed=seed)
    check_disjoint(splits, n)
    assert [(s.repeat, s.fold) for s in splits] == [(r, f) for r in range(repeats) for f in range(folds)]
    for repeat in range(repeats):
        assert (rows_tested(splits, repeat) == np.arange(n)).all()
    for s in splits:
        assert n // folds <= len(s.test) <= -(-n // folds)
        outer = n - len(s.test)
        assert len(s.validation) == (0 if validation == 0 else max(1, round(validation * outer)))


@given(st.lists(st.integers(5, 40), min_size=2, max_size=6), st.integers(2, 5), st.integers(0, 99))
@PROPERTY
def test_stratified_k_fold(counts, folds, seed):
    target = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    n = len(target)
    splits = plan(n, folds=folds, target=target, seed=seed)
    check_disjoint(splits, n)
    assert (rows_tested(splits, 0) == np.arange(n)).all()
    for s in splits:
        test = np.bincount(target[s.test], minlength=len(counts))
        assert (np.abs(test - np.array(counts) / folds) < 1).all()
        assert n // folds <= len(s.test) <= -(-n // folds)
        outer = np.array(counts) - test
        inner = np.bincount(target[s.validation], minlength=len(counts))
        assert (np.abs(inner - 0.2 * outer) <= 1.2).all()
        assert (np.bincount(target[s.train], minlength=len(counts)) >= 1).all()


@given(st.integers(2, 12), st.lists(st.integers(1, 30), min_size=12, max_size=40), st.integers(0, 99))
@PROPERTY
def test_group_k_fold(folds, sizes, seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(str)
    assume(max(sizes) * (folds + 1) < len(groups))  # else a fold may be one group
    splits = plan(len(groups), folds=folds, groups=groups, seed=seed)
    check_disjoint(splits, len(groups))
    assert (rows_tested(splits, 0) == np.arange(len(groups))).all()
    for s in splits:
        a, b, c = (set(groups[rows]) for rows in parts(s))
        assert len(a) + len(b) + len(c) == len(a | b | c)
    # Longest-first dealing: no fold exceeds the mean by more than the largest group.
    assert max(len(s.test) for s in splits) <= len(groups) / folds + max(sizes)


def test_group_k_fold_is_as_even_as_scikit_learns():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(1, 30, 60))
    spread = np.ptp([len(s.test) for s in plan(len(groups), groups=groups)])
    theirs = np.ptp([len(test) for _, test in sk.GroupKFold(5).split(groups, groups=groups)])
    assert spread <= theirs + 2


def test_stratified_groups_spread_classes_about_as_scikit_learns():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(80), 10)
    target = (rng.random(800) < np.repeat(rng.beta(0.5, 1.5, 80), 10)).astype(int)
    rate = target.mean()
    ours = [abs(target[s.test].mean() - rate) for s in plan(800, target=target, groups=groups)]
    folds = sk.StratifiedGroupKFold(5, shuffle=True, random_state=0).split(target, target, groups)
    theirs = [abs(target[test].mean() - rate) for _, test in folds]
    plain = [abs(target[s.test].mean() - rate) for s in plan(800, groups=groups)]
    assert max(ours) <= max(theirs) + 0.02
    assert max(ours) < max(plain)


@given(st.integers(20, 120), st.integers(1, 5), st.integers(0, 3), st.integers(0, 50))
@PROPERTY
def test_time_series(n, folds, gap, seed):
    time = np.random.default_rng(seed).integers(0, 100, n)
    try:
        splits = plan(n, folds=folds, time=time, gap=gap, validation=0.2)
    except DataError as error:
        assert "fewer folds" in str(error)  # noqa: PT017
        return
    check_disjoint(splits, n, whole=False)
    for s in splits:
        start = time[s.test].min()
        assert time[s.validation].max() <= start - max(gap, 1)
        assert time[s.train].max() <= time[s.validation].min() - max(gap, 1)
    for earlier, later in itertools.pairwise(splits):
        assert time[earlier.test].max() < time[later.test].min()
        assert set(earlier.train) <= set(np.concatenate([later.train, later.validation]))


def test_time_series_blocks_are_scikit_learns():
    time = np.arange(60)
    ours = plan(60, folds=5, time=time, validation=0.0)
    for split, (train, test) in zip(ours, sk.TimeSeriesSplit(5).split(time), strict=True):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, test)


def test_dates():
    time = np.datetime64("2024-01-01") + np.arange(100).astype("timedelta64[D]")
    for s in plan(100, folds=3, time=time, gap=np.timedelta64(7, "D")):
        assert time[s.test].min() - time[s.validation].max() == np.timedelta64(7, "D")
        assert time[s.validation].min() - time[s.train].max() == np.timedelta64(7, "D")


def test_each_row_or_group_alone():
    target = np.arange(12) % 3
    splits = plan(12, folds="each", target=target)
    assert sorted(int(s.test[0]) for s in splits) == list(range(12)) and {len(s.test) for s in splits} == {1}
    check_disjoint(splits, 12)
    groups = np.repeat(np.arange(4), [1, 2, 3, 6])
    splits = plan(12, folds="each", groups=groups, target=target)
    expected = [test for _, test in sk.LeaveOneGroupOut().split(np.zeros((12, 1)), groups=groups)]
    assert {tuple(s.test) for s in splits} == {tuple(test) for test in expected}


@given(st.integers(30, 120), st.integers(2, 5), st.integers(1, 30), st.integers(0, 3))
@PROPERTY
def test_a_window_slides(n, folds, window, gap):
    time = np.random.default_rng(n).permutation(n)
    try:
        splits = plan(n, folds=folds, time=time, window=window, gap=gap or None, validation=0.0)
    except DataError:
        assume(False)
    everything = plan(n, folds=folds, time=time, validation=0.0)
    for split, whole in zip(splits, everything, strict=True):
        np.testing.assert_array_equal(split.test, whole.test)
        start = time[split.test].min()
        expected = [t for t in time[whole.train] if start - window <= t <= start - gap]
        assert sorted(time[split.train]) == sorted(expected)


@given(st.integers(30, 120), st.integers(2, 6), st.integers(0, 4), st.integers(0, 4))
@PROPERTY
def test_blocks_with_an_embargo(n, folds, gap, embargo):
    time = np.random.default_rng(n).permutation(n)
    splits = plan(n, folds=folds, time=time, gap=gap or None, embargo=embargo, validation=0.0)
    assert (rows_tested(splits, 0) == np.arange(n)).all()
    for split in splits:
        first, last = time[split.test].min(), time[split.test].max()
        assert last - first == len(split.test) - 1
        keep = [t for t in range(n) if (t < first and t <= first - gap) or (t > last and t >= last + embargo)]
        assert sorted(time[split.train]) == keep


@pytest.mark.parametrize("extra", [{}, {"target": np.arange(90) % 3}, {"groups": np.arange(90) // 5}])
def test_bootstraps_draw_as_many_and_test_the_rest(extra):
    splits = plan(90, bootstrap=True, repeats=40, validation=0.2, **extra)
    assert len(splits) == 40 and not same(splits[:1], splits[1:2])
    for s in splits:
        for a, b in itertools.combinations(parts(s), 2):
            assert not np.intersect1d(a, b).size
        assert len(np.unique(s.train)) + len(s.validation) + len(s.test) == 90
        assert len(np.unique(s.train)) < len(s.train)
        if "groups" in extra:
            assert not np.intersect1d(extra["groups"][s.train], extra["groups"][s.test]).size
    assert np.mean([len(s.test) for s in splits]) == pytest.approx(90 / np.e, rel=0.05)


def test_bootstraps_of_few_groups_always_leave_one_out():
    for seed in range(30):
        splits = plan(40, bootstrap=True, repeats=20, groups=np.arange(40) // 8, seed=seed)
        assert all(len(s.test) and len(s.validation) and len(s.train) for s in splits)
    with pytest.raises(DataError, match="too few"):
        plan(20, bootstrap=True, groups=np.arange(20) // 10)


def test_hold_out():
    target = np.repeat([0, 1, 2], [80, 17, 3])
    (split,) = plan(100, holdout=0.25, target=target, validation=0.2)
    check_disjoint([split], 100)
    assert len(split.test) == 25
    for rows in (split.test, split.train):
        assert set(target[rows]) == {0, 1, 2}
    assert len(plan(100, folds=1)[0].test) == 20
    (latest,) = plan(100, holdout=0.1, time=np.arange(100)[::-1])
    np.testing.assert_array_equal(latest.test, np.arange(10))
    (grouped,) = plan(100, holdout=0.3, groups=np.arange(100) // 10)
    assert len(grouped.test) == 30
    assert len(plan(100, folds=1, repeats=3)) == 3


def test_two_groups_can_be_held_out():
    (split,) = plan(20, holdout=0.2, groups=np.arange(20) // 10, validation=0.0)
    assert len(split.test) == 10


def same(a: list[Split], b: list[Split]) -> bool:
    return all(
        np.array_equal(p, q)
        for x, y in zip(a, b, strict=True)
        for p, q in zip(parts(x), parts(y), strict=True)
    )


@pytest.mark.parametrize("extra", [{}, {"target": np.arange(60) % 3}, {"groups": np.arange(60) // 4}])
def test_the_seed_decides(extra):
    assert same(plan(60, seed=3, **extra), plan(60, seed=3, **extra))
    assert not same(plan(60, seed=3, **extra), plan(60, seed=4, **extra))
    twice = plan(60, seed=3, repeats=2, **extra)
    assert same(twice[:5], plan(60, seed=3, **extra))  # more repeats leave the first as it was
    assert not same(twice[:5], twice[5:])


def test_any_scikit_learn_splitter():
    target = np.arange(60) % 3
    splitter = sk.StratifiedShuffleSplit(4, test_size=0.3, random_state=0)
    expected = list(splitter.split(np.zeros((60, 1)), target))
    splits = plan(60, splitter=splitter, target=target)
    assert len(splits) == 4
    for split, (train, test) in zip(splits, expected, strict=True):
        np.testing.assert_array_equal(split.test, np.sort(test))
        np.testing.assert_array_equal(np.sort(np.r_[split.train, split.validation]), np.sort(train))
    groups = np.arange(60) // 10
    assert len(plan(60, splitter=sk.LeaveOneGroupOut(), groups=groups)) == 6


def test_given_rows():
    (split,) = plan(10, splitter=[([0, 1, 2], [5], [9])])
    assert [list(rows) for rows in parts(split)] == [[0, 1, 2], [5], [9]]
    mask = np.arange(10) < 8
    (split,) = plan(10, splitter=[(mask, ~mask)], validation=0.0)
    assert list(split.test) == [8, 9]


def test_every_class_that_can_stays_in_training():
    target = np.r_[np.zeros(95, int), [1] * 5]
    for s in plan(100, folds=5, target=target, validation=0.5):
        assert (target[s.train] == 1).any()
        assert (target[s.test] == 1).sum() == 1


@pytest.mark.parametrize(
    ("n", "arguments", "error", "words"),
    [
        (3, {"folds": 5}, DataError, "folds=3"),
        (1, {"folds": 1}, DataError, "at least 2"),
        (20, {"target": [0] * 17 + [1] * 3}, DataError, r"class 1 has 3 row.*folds=3"),
        (20, {"target": [0] * 19 + [1]}, DataError, r"class 1 has 1 row.*merge"),
        (20, {"target": np.linspace(0, 1, 20)}, DataError, "leave it out"),
        (20, {"target": [0, 1]}, DataError, r"\(2,\)"),
        (20, {"groups": [0] * 10 + [1] * 10}, DataError, r"2 group"),
        (20, {"groups": np.arange(20) // 2, "target": [0] * 18 + [1] * 2}, DataError, r"class 1 has 1 group"),
        (20, {"groups": [0] * 10 + [1] * 10, "folds": 2}, DataError, "single group"),
        (20, {"time": [0] * 20}, DataError, "distinct times"),
        (20, {"time": [np.nan] + [0.0] * 19}, DataError, "row 0 first"),
        (20, {"time": np.arange(20), "groups": np.arange(20)}, ConfigError, "give one"),
        (20, {"gap": 1}, ConfigError, "time as well"),
        (20, {"time": np.arange(20), "repeats": 2}, ConfigError, "repeats"),
        (20, {"folds": "every"}, ConfigError, "'each'"),
        (20, {"folds": "each", "repeats": 2}, ConfigError, "leave out the same again"),
        (20, {"window": 3}, ConfigError, "window is about folds in time"),
        (20, {"time": np.arange(20), "folds": 1, "embargo": 3}, ConfigError, "at least 2 folds"),
        (20, {"time": np.arange(20), "window": 3, "embargo": 1}, ConfigError, "give one of them"),
        (20, {"time": np.arange(20), "window": -3}, ConfigError, "not below 0"),
        (20, {"bootstrap": True, "folds": 5}, ConfigError, "in place of folds"),
        (2, {"bootstrap": True, "target": [0, 1]}, DataError, "none out to test"),
        (20, {"folds": 0}, ConfigError, "at least 1"),
        (20, {"folds": 5, "holdout": 0.2}, ConfigError, "contradict"),
        (20, {"holdout": 1.0}, ConfigError, "between 0 and 1"),
        (20, {"validation": 1.0}, ConfigError, "in \\[0, 1\\)"),
        (20, {"splitter": [([0, 1], [1, 2])]}, ConfigError, "twice, 1 for one"),
        (20, {"splitter": [([0, 1], [20])]}, ConfigError, "row 20"),
        (20, {"splitter": [([0, 1], [-1])]}, ConfigError, "row -1"),
        (20, {"splitter": [([0, 1], [])]}, ConfigError, "none to test"),
        (20, {"splitter": []}, ConfigError, "no fold"),
        (20, {"splitter": [([0],)]}, ConfigError, "1 parts"),
    ],
)
def test_what_is_refused(n, arguments, error, words):
    with pytest.raises(error, match=words):
        plan(n, **arguments)
