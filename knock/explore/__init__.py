"""`knock explore vae`: a trained latent space as one HTML file, to walk through by hand.

The file needs no server, no network and no Python: it contains the decoder's weights, and its own
script evaluates them whenever a point in the latent plane moves.
"""
