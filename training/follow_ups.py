"""How well the embedded planner plans follow-ups.

`python -m training.follow_ups` has it plan follow-ups whose wordings were held out, and prints every plan that is not
exactly the right one.
"""

import argparse
import itertools
from collections.abc import Iterable, Iterator

from hugginggpt.artifacts import Artifact
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.planner import plan_in_notation, with_passages
from hugginggpt.controller.embedded.turns import shown_request
from hugginggpt.errors import PlanError
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.resource import Resource
from hugginggpt.settings import get_settings
from training.generate import Generator, Sample


def wrong_plans(controller: Controller, samples: Iterable[Sample]) -> Iterator[tuple[Sample, str]]:
    """The samples that are planned wrongly, each with what was planned."""
    for sample in samples:
        request = shown_request(sample.request, sample.resources, sample.history)
        names = [source.name for source in request.sources]
        right = write_notation(with_passages(read_notation(sample.completion), request.read), names)
        resources = [
            Resource(name=name, source=name, artifact=Artifact(sha256="0" * 64, type=type, mime="", bytes=0))
            for name, type in sample.resources
        ]
        try:
            plan = plan_in_notation(
                controller,
                text=sample.request,
                resources=resources,
                history=sample.history,
                deadline=None,
                check=lambda plan: [],
            )
        except PlanError as error:
            yield sample, error.problems[0]
            continue
        # A repaired plan may be the same with other ids.
        if (planned := write_notation(plan, names)) != right:
            yield sample, planned


def main() -> None:
    """Measure the planner of the settings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trained", action="store_true", help="take the wordings that are trained on instead")
    given = parser.parse_args()
    drawn = Generator(given.seed, held_out=not given.trained).follow_ups()
    controller = Controller.from_settings(get_settings())
    wrong = 0
    for sample, planned in wrong_plans(controller, itertools.islice(drawn, given.samples)):
        wrong += 1
        print(sample.messages[-1]["content"], "\n-> ", planned, "\nnot ", sample.completion, "\n")
    print(f"{given.samples - wrong} of {given.samples} follow-ups have exactly the right plan.")
    controller.close()


if __name__ == "__main__":
    main()
