"""Is a question complete, and does a check name the mistakes that people make in it?

`folder` looks at its files, `reference` at its NumPy answer, `trial` at its answers in one
framework; `report` prints what they find. The tests call the same functions.
"""
