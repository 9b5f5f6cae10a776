"""Does an answer do what the question asks? Stage by stage, on small sizes, in float64.

from knock.check import check
for result in check("ae", "keras"):
    print(result.name, result.status, result.value)
"""

from knock.check.judge import Result, check

__all__ = ["Result", "check"]
