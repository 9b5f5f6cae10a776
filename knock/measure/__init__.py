"""How good are the pictures that a trained run makes? `knock score` says it in numbers.

| module | what |
| --- | --- |
| `real` | the pictures that a run learnt from, and those that it never saw |
| `made` | the pictures that it makes, from draws that are the same for all |
| `examiner` | the network that looks at them: question 16's, trained once for each data set |
| `features` | other eyes than the examiner's, in a file of the user's own |
| `scores` | what these features and classes say, as numbers: question 16's measures |
| `table` | all numbers of some runs: for a terminal, and as JSON |
| `sheet` | made pictures, each above the nearest training picture |
| `scoring` | one after the other, and what is written into the runs' folders |
"""
