"""What each framework means by a layer, an update or a loss, said in canonical NumPy arrays.

One module a framework, all with the same functions; `pytorch` documents them. Images are N×C×H×W,
weights in PyTorch's layout and everything float64, whatever the framework makes of it inside. Each
module is called after its adapter's `setup("cpu", "float64", 1)`, and uses what an answer in that
framework uses, so that the test speaks of the answers.
"""
