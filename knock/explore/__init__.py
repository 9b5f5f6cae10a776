"""`knock explore`: what a run has learnt as one HTML file, to walk through by hand.

The file needs no server, no network and no Python: it contains a network's weights, and its own
script evaluates them whenever something moves. There are two kinds of pages: of a latent plane, for
question 03, and of a generator's noise.

| module | what |
| --- | --- |
| `write` | from a run to a file: which checkpoint, which kind of page, where it goes |
| `page` | fills the template: `page.html`, `page.css`, `page.js` for both, and `network.js` |
| `network` | a checkpoint's network, described for `network.js` |
| `latent` | what the page of a latent plane shows, with `latent.html`, `.css` and `.js` |
| `generator` | what the page of a generator shows, with `generator.html`, `.css` and `.js` |
"""
