"""A plan: a graph of AI subtasks, as data.

`parse_plan` is the way in from text, `plan_schema` the JSON schema for controllers that can
keep to one.
"""

from hugginggpt.errors import PlanError
from hugginggpt.plan.model import Argument, Plan, PlannedTask, Scalar
from hugginggpt.plan.parse import parse_plan
from hugginggpt.plan.schema import plan_schema

__all__ = ["Argument", "Plan", "PlanError", "PlannedTask", "Scalar", "parse_plan", "plan_schema"]
