"""Is a question complete, and are the mistakes that people make in it recognised by name?

`folder` looks at its files, `trial` at its answers in one framework, `report` prints what both
find. The tests ask the same functions.
"""
