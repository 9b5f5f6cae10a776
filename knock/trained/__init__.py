"""What a run has learnt, opened again: its model makes pictures, in any framework.

| module | what |
| --- | --- |
| `opened` | the runs that were named, each with its checkpoint and the framework that opens it |
| `model` | the networks of such a run, which can be asked for pictures |
| `draws` | the noise that they are made from: the same in every framework |
"""
