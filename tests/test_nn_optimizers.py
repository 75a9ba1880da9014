"""Optimizers against their formulas; clipping, decay, groups, constraints, schedules."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.errors import ArgumentError, ShapeError
from tinygrad_edu.nn import optimizers

schedules = optimizers.schedules

ALL = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.1, momentum=0.9),
    optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    optimizers.Adam(0.01),
    optimizers.Adam(0.01, amsgrad=True),
    optimizers.AdamW(0.01, weight_decay=0.1),
    optimizers.RMSprop(0.01),
    optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    optimizers.Adagrad(0.1),
    optimizers.Adadelta(1.0),
    optimizers.Lion(0.01),
]


def fresh(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


def formula(o, w, gradients):
    """Each optimizer's recursion from its paper, with Keras' places for epsilon, for one number."""
    m = v = d = a = s = top = 0.0
    if isinstance(o, optimizers.Adagrad):
        a = o.initial_accumulator_value
    for t, g in enumerate(gradients, 1):
        rate = o.rate
        if o.weight_decay:
            w -= rate * o.weight_decay * w
        if isinstance(o, optimizers.SGD):
            m = o.momentum * m - rate * g
            w += (o.momentum * m - rate * g) if o.nesterov else m
        elif isinstance(o, optimizers.Adam):
            m = o.beta_1 * m + (1 - o.beta_1) * g
            v = o.beta_2 * v + (1 - o.beta_2) * g * g
            top = max(top, v)
            scale = rate * math.sqrt(1 - o.beta_2**t) / (1 - o.beta_1**t)
            w -= scale * m / (math.sqrt(top if o.amsgrad else v) + o.epsilon)
        elif isinstance(o, optimizers.RMSprop):
            v = o.rho * v + (1 - o.rho) * g * g
            a = o.rho * a + (1 - o.rho) * g
            step = rate * g / math.sqrt(v - (a * a if o.centered else 0) + o.epsilon)
            s = o.momentum * s + step
            w -= s if o.momentum else step
        elif isinstance(o, optimizers.Adagrad):
            a += g * g
            w -= rate * g / math.sqrt(a + o.epsilon)
        elif isinstance(o, optimizers.Adadelta):
            v = o.rho * v + (1 - o.rho) * g * g
            step = math.sqrt(d + o.epsilon) / math.sqrt(v + o.epsilon) * g
            d = o.rho * d + (1 - o.rho) * step * step
            w -= rate * step
        else:
            w -= rate * np.sign(o.beta_1 * m + (1 - o.beta_1) * g)
            m = o.beta_2 * m + (1 - o.beta_2) * g
    return w


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
@given(
    w=st.floats(-5, 5),
    gradients=st.lists(st.floats(-10, 10).filter(lambda g: abs(g) > 1e-3), min_size=1, max_size=6),
)
def test_steps_follow_the_formula(optimizer, w, gradients):
    p = te.Tensor([[w, w], [w, w]], dtype="float64", requires_grad=True)
    o = fresh(optimizer).bind([p])
    for g in gradients:
        o.zero_grad()
        (p * g).sum().backward()
        o.step()
    np.testing.assert_allclose(p.data, formula(optimizer, w, gradients), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_they_find_a_minimum_and_go_on_from_their_state(optimizer):
    def loss(p):
        return ((p - np.array([1.0, -2.0])) ** 2).sum()

    def learn(o, p, steps):
        for _ in range(steps):
            o.zero_grad()
            loss(p).backward()
            o.step()

    p = te.Tensor([0.5, -1.0], requires_grad=True)
    first = loss(p).item()
    o = fresh(optimizer).bind([p])
    learn(o, p, 200)
    assert loss(p).item() < 0.9 * first

    straight, broken = (te.Tensor([0.5, -1.0], requires_grad=True) for _ in range(2))
    o = fresh(optimizer).bind([straight])
    learn(o, straight, 20)
    o = fresh(optimizer).bind([broken])
    learn(o, broken, 12)
    again = fresh(optimizer).bind([broken])
    again.load_state_dict(o.state_dict())
    learn(again, broken, 8)
    np.testing.assert_array_equal(straight.data, broken.data)


@pytest.mark.parametrize("optimizer", ALL, ids=repr)
def test_names_and_descriptions(optimizer):
    assert type(optimizers.get(optimizer.name)) is type(optimizer)
    assert optimizers.get(optimizer.describe()).get_config() == optimizer.get_config()
    assert optimizers.get(optimizer) is optimizer


def stepped(optimizer, *gradients):
    params = [te.Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    optimizer.apply([te.Tensor(g) for g in gradients], params)
    return [-p.data for p in params]


@given(scale=st.floats(0.01, 100))
def test_clipping(scale):
    a, b = np.array([3.0, -4.0], "f4") * np.float32(scale), np.array([12.0], "f4") * np.float32(scale)
    for got, g in zip(stepped(optimizers.SGD(1.0, clipvalue=2.5), a, b), (a, b), strict=True):
        np.testing.assert_allclose(got, np.clip(g, -2.5, 2.5), rtol=1e-5)
    for got, g in zip(stepped(optimizers.SGD(1.0, clipnorm=2.0), a, b), (a, b), strict=True):
        np.testing.assert_allclose(got, g * min(1, 2 / np.linalg.norm(g)), rtol=1e-5)
    norm = np.linalg.norm(np.concatenate([a, b]))
    for got, g in zip(stepped(optimizers.SGD(1.0, global_clipnorm=2.0), a, b), (a, b), strict=True):
        np.testing.assert_allclose(got, g * min(1, 2 / norm), rtol=1e-5)


def test_groups_have_rates_and_decays_of_their_own():
    w, b, c = (te.Tensor([1.0], requires_grad=True) for _ in range(3))
    groups = [
        {"params": [w], "weight_decay": 0.5},
        {"params": b, "learning_rate": lambda step: 0.1 * step},
        c,
    ]
    o = optimizers.SGD(0.1, params=groups)
    for _ in range(2):
        o.zero_grad()
        (w + b + c).sum().backward()
        o.step()
    assert w.item() == pytest.approx((1 * 0.95 - 0.1) * 0.95 - 0.1)
    assert b.item() == pytest.approx(1 - 0.0 - 0.1)
    assert c.item() == pytest.approx(0.8)
    o.bind([w, b, c])  # as fit does before each run: groups stay as they are
    assert o.own[0] == {"weight_decay": 0.5}
    with pytest.raises(ArgumentError, match="a group has 'params'"):
        optimizers.SGD(0.1, params=[{"params": [w], "lr": 1}])


@pytest.mark.parametrize(
    ("constraint", "holds"),
    [
        ("non_neg", lambda w: (w >= 0).all()),
        (nn.constraints.MaxNorm(0.5), lambda w: (np.linalg.norm(w, axis=0) <= 0.5001).all()),
        (nn.constraints.UnitNorm(), lambda w: np.allclose(np.linalg.norm(w, axis=0), 1, atol=1e-5)),
        (
            nn.constraints.MinMaxNorm(0.2, 0.4),
            lambda w: ((np.linalg.norm(w, axis=0) > 0.199) & (np.linalg.norm(w, axis=0) < 0.401)).all(),
        ),
    ],
)
def test_constraints_hold_after_each_step(constraint, holds):
    te.seed(0)
    model = nn.Sequential([nn.Input((3,)), nn.Dense(4, kernel_constraint=constraint), nn.Dense(1)])
    model.compile(optimizers.SGD(0.5), "mse")
    rng = np.random.default_rng(0)
    seen = []
    watch = nn.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(holds(model.layers[0].kernel.numpy()))
    )
    model.fit(rng.normal(size=(20, 3)), rng.normal(size=(20, 1)), batch_size=5, verbose=0, callbacks=[watch])
    assert seen == [True] * 4


def test_apply_gradients():
    w, b = te.Tensor([1.0], requires_grad=True), te.Tensor([2.0], requires_grad=True)
    o = optimizers.SGD(0.5)
    o.apply_gradients([(te.Tensor([1.0]), w), (None, b)])
    assert (w.item(), b.item()) == (0.5, 2.0)
    o.apply([np.array([1.0], "f4"), [2.0]])
    assert (w.item(), b.item()) == (0.0, 1.0)
    with pytest.raises(ShapeError, match=r"of shape \(2,\) for \(1,\)"):
        o.apply([[1.0, 2.0], [1.0]])
    with pytest.raises(ArgumentError, match="1 gradients for 2"):
        o.apply([[1.0]])


SCHEDULES = [
    schedules.ExponentialDecay(0.1, 10, 0.5),
    schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True),
    schedules.StepDecay(0.1, 7, 0.3),
    schedules.PiecewiseConstantDecay([3, 9], [0.1, 0.05, 0.01]),
    schedules.PolynomialDecay(0.1, 20, 0.01, power=2.0),
    schedules.PolynomialDecay(0.1, 20, 0.01, cycle=True),
    schedules.InverseTimeDecay(0.1, 10, 0.5),
    schedules.InverseScaling(0.1),
    schedules.CosineDecay(0.1, 50, alpha=0.1),
    schedules.CosineDecay(0.01, 50, warmup_target=0.1, warmup_steps=10),
    schedules.CosineDecayRestarts(0.1, 10, m_mul=0.5),
    schedules.CosineDecayRestarts(0.1, 10, t_mul=1.0, alpha=0.1),
    schedules.OneCycle(0.1, 60),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_schedules_are_rates_and_can_be_described(schedule):
    rates = [schedule(step) for step in range(200)]
    assert all(isinstance(r, float) and 0 <= r <= 0.1 + 1e-12 for r in rates)
    o = optimizers.get(optimizers.SGD(schedule).describe())
    assert [o._learning_rate(step) for step in range(200)] == rates
    p = te.Tensor([0.0], requires_grad=True)
    o.bind([p])
    for rate in rates[:30]:
        assert o.rate == rate
        before = p.item()
        o.zero_grad()
        p.sum().backward()
        o.step()
        assert before - p.item() == pytest.approx(rate, abs=1e-6)


def test_special_points_of_schedules():
    cycle = schedules.OneCycle(1.0, 100)
    rates = [cycle(step) for step in range(101)]
    assert np.argmax(rates) == 30
    assert (np.diff(rates[:31]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()
    restarts = schedules.CosineDecayRestarts(1.0, 10)
    assert [restarts(step) for step in (0, 10, 30, 70)] == pytest.approx([1, 1, 1, 1])
    warm = schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)
    assert [warm(step) for step in (0, 2, 4, 14, 99)] == pytest.approx([0, 0.5, 1, 0, 0])


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (lambda: optimizers.get("adamm"), "did you mean 'adam'"),
        (lambda: optimizers.SGD(0.1, clipnorm=1.0, clipvalue=1.0), "at most one of"),
        (lambda: optimizers.SGD(0.1, momentum=1.0), "momentum must be at least 0 and below 1"),
        (lambda: optimizers.Adam(0.1, beta_1=True), "beta_1 must be at least 0"),
        (lambda: optimizers.AdamW(0.1, weight_decay=-1), "weight_decay must be a number of at least 0"),
        (
            lambda: optimizers.SGD(lambda step: "x", params=[te.Tensor([1.0], requires_grad=True)]).rate,
            "gave must be",
        ),
        (lambda: optimizers.SGD(lambda step: 0.1).get_config(), "can't be saved"),
        (lambda: schedules.ExponentialDecay(-1, 10, 0.5), "learning rate must be"),
        (lambda: schedules.ExponentialDecay(1, 0, 0.5), "number of steps must be above 0"),
        (lambda: schedules.PiecewiseConstantDecay([5, 1], [1, 2, 3]), "rising boundaries"),
        (lambda: schedules.OneCycle(1.0, 10, rise=1.0), "rise must lie"),
    ],
)
def test_mistakes_are_named(mistake, text):
    with pytest.raises(ArgumentError, match=text):
        mistake()
