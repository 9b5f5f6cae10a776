"""What a run has learnt, opened again: its model makes pictures, in any framework.

| module | what |
| --- | --- |
| `opened` | the runs that were named, each with its checkpoint and the framework that opens it |
| `model` | the networks of such a run, which can be asked for pictures |
| `draws` | the noise that they are made from: the same in every framework |
| `walk` | the way from one noise to another |
| `directions` | ways that have a name, in a file beside a checkpoint |
| `classes` | the classes that a run's pictures are asked for by, with their names |
| `sample` | `knock sample`: pictures from noise |
| `apply` | `knock apply`: what a run makes of the user's own pictures |
| `film` | such ways in motion |
| `options` | the options that both commands share |
| `output` | where pictures go, and whether a file there may be replaced |
"""
