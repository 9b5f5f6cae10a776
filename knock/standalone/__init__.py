"""One script that stands alone, made of an answer: `make.make(question, framework)`."""
