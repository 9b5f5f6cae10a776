"""`knock explore vae`: a trained latent space as one HTML file, to walk through by hand.

The file needs no server, no network and no Python: the decoder's weights are inside, and its own
script evaluates them at every move of a point in the latent plane.
"""
