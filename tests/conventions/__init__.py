"""The layers, updates and losses of each framework, as functions of canonical NumPy arrays.

There is one module per framework, all with the same functions; `pytorch` documents them. Images are
N×C×H×W, weights have PyTorch's layout and everything is float64, whatever the framework does
inside. Each module is called after its adapter's `setup("cpu", "float64", 1)` and uses what an
answer in that framework uses, so the tests hold for the answers.
"""
