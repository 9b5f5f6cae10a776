"""Grading a class: every submission's parts, each in a process of its own, into one table.

Whoever grades never runs a submission's code. A process behind walls does, and what comes out of it
are numbers, which are judged here. So a submission can forge nothing but numbers, and right ones
are what it is asked for.

| module | what it does |
| --- | --- |
| `command` | `knock grade` |
| `submissions` | who has handed in what |
| `points`, `points.toml` | what each part is worth |
| `variants` | the sizes and seeds that are checked: the open ones, and a teacher's hidden ones |
| `exam` | the package as submissions see it: without the judge, and without our answers |
| `room` | a process that runs submissions, seen from outside |
| `invigilator` | the same from inside: a fork for each part, its limits, its end |
| `walls` | what holds a fork in |
| `scratch` | a fork's own folder: how full it is, and how it is emptied |
| `wire` | what goes in and out |
| `shown` | what a student wrote, before a teacher sees it |
| `work` | one submission, from its file to its grade |
| `many` | all of them, on this machine or on a Dask cluster |
| `record` | what has been graded so far, so that nothing is graded twice |
| `report`, `report.css` | the table, and the page |
"""
