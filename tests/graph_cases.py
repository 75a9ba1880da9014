"""Computations to picture, and a way to read the pictures."""

import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import strategies as st

import tinygrad_edu as te
from tinygrad_edu import nn
from tinygrad_edu.context import context
from tinygrad_edu.function import Node

SVG = "{http://www.w3.org/2000/svg}"
TITLE = "{http://www.w3.org/1999/xlink}title"


def leaf(*shape, name=None):
    return te.Tensor(np.ones(shape, "f4"), requires_grad=True, name=name)


def inside(module, function, *args):
    before = context.module
    context.module = module
    try:
        return function(*args)
    finally:
        context.module = before


def mlp_loss():
    te.seed(0)
    layers = [nn.Input((784,)), nn.Dense(64, activation="relu"), nn.Dense(10)]
    model = nn.Sequential(layers, name="mlp")
    x = te.Tensor(np.ones((8, 784), "f4"), name="images")
    loss = te.softmax_cross_entropy(model(x), np.arange(8)).mean()
    loss.name = "loss"
    return loss


def drawn(svg):
    """Read an SVG: {id: lines of text} of the nodes, the same of the edges, and the frames."""
    nodes, edges, frames = {}, {}, {}
    for g in ET.fromstring(svg).iter(f"{SVG}g"):
        kinds = g.get("class", "").split()
        text = [t.text.replace("\xa0", " ") for t in g.iter(f"{SVG}text")]
        for kind, found in (("node", nodes), ("edge", edges)):
            if kind in kinds:
                assert g.get("id") not in found
                found[g.get("id")] = text
        if "cluster" in kinds:
            frames[g.find(f"{SVG}title").text] = g
    return nodes, edges, frames


def extent(g):
    """The rectangle around the outline in an SVG group: left, top, right, bottom."""
    outline = next(e for e in g.iter() if e.tag in (f"{SVG}polygon", f"{SVG}path"))
    text = outline.get("points") or outline.get("d")
    for letter in "MCLZ":
        text = text.replace(letter, " ")
    points = np.array([pair.split(",") for pair in text.split()], float)
    return (*points.min(0), *points.max(0))


def tape(*results):
    """Walk the tape without the code under test: all operations, and what else went into them."""
    nodes, leaves, todo = {}, {}, [t.node for t in results if t.node is not None]
    arrows = 0
    while todo:
        node = todo.pop()
        if id(node) not in nodes:
            nodes[id(node)] = node
            arrows += len(node.inputs)
            for x in node.inputs:
                if isinstance(x, Node):
                    todo.append(x)
                else:
                    leaves[len(leaves) if isinstance(x, int | float) else id(x)] = x
    return list(nodes.values()), leaves, arrows


@st.composite
def computations(draw):
    """A random graph: things used twice, numbers, broadcasting, nested modules, one or two results."""
    pool = [leaf(3, name="a"), leaf(1, name="b"), np.ones(3, "f4"), te.Tensor(np.ones((2, 3), "f4"))]
    modules = draw(st.lists(st.sampled_from(["", "m", "m/n", "m/n/o", "p", "p/n"]), max_size=15))
    for module in ["", *modules]:
        made = pool[0] if len(pool) == 4 else pool[-1]
        other = draw(st.sampled_from([*pool, 2.0]))
        operation = draw(st.sampled_from([te.add, te.multiply, te.subtract, lambda x, _: te.tanh(x)]))
        pool.append(inside(module, operation, made, other))
    return draw(st.sampled_from([pool[-1:], pool[-2:]]))


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
