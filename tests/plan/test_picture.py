"""Pictures of plans."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.plan.picture import Box, draw

STATES = ("planned", "running", "done", "failed", "skipped")


@st.composite
def boxes(draw_: st.DrawFn) -> dict[int, Box]:
    ids = draw_(st.lists(st.integers(0, 99), unique=True, max_size=12))
    found = {}
    for number, id_ in enumerate(ids):
        after = tuple(draw_(st.lists(st.sampled_from(ids[:number]), unique=True, max_size=3))) if number else ()
        found[id_] = Box(
            draw_(st.text(max_size=50)), draw_(st.text(max_size=60)), draw_(st.sampled_from(STATES)), after
        )
    return found


@given(boxes())
def test_every_task_is_a_box_below_what_it_waits_for(plan: dict[int, Box]) -> None:
    root = ElementTree.fromstring(draw(plan))
    rectangles = root.findall(".//{*}rect")
    tops = {id_: float(rectangle.attrib["y"]) for id_, rectangle in zip(plan, rectangles, strict=True)}
    assert all(tops[id_] > tops[k] for id_, box in plan.items() for k in box.after)
    places = [(rectangle.attrib["x"], rectangle.attrib["y"]) for rectangle in rectangles]
    assert len(set(places)) == len(places)
    assert len(root.findall(".//{*}path")) == sum(len(box.after) for box in plan.values())
    assert float(root.attrib["width"]) > 0 and float(root.attrib["height"]) > 0
