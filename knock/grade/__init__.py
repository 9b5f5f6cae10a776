"""Grading a class: every part of every submission, in a sandbox, into one table.

The grader never runs a submission's code itself. A sandboxed process does, and only numbers come
out of it, which another process judges. So a submission can forge nothing but numbers, and the
right numbers are what it is asked for.

| module | what it does |
| --- | --- |
| `session` | `knock grade`: one grading, from the folder to the table |
| `start` | nothing of a class is imported into the grader itself |
| `handed_in` | the files in a folder or a zip file, none of them unpacked or run |
| `reading` | the process that reads files, seen from outside |
| `reader` | the same process from inside: decoded, converted, parsed, with limits |
| `names` | what the names of folders and files say |
| `submissions` | who has handed in what |
| `roster` | the school's list of the class |
| `points`, `points.toml` | what each part is worth |
| `conditions` | the seeds and sizes of the checks: the open ones, and a teacher's hidden ones |
| `stripped_copy` | the package as submissions see it: without the judge, and without our answers |
| `process` | a process that runs submissions, seen from outside |
| `worker` | the same process from inside: a fork for each part, its limits, its end |
| `sandbox` | the walls around a fork: what it may not do |
| `calls` | the system calls that a check needs |
| `scratch` | a fork's own folder: how full it is, and how it is removed |
| `messages` | what goes in and out of the process |
| `judges` | the process that judges numbers, seen from outside |
| `judging` | the same process from inside: the judge's own numbers, and limits for each run |
| `plain_text` | makes a student's text safe before a teacher sees it |
| `grading` | one submission, from its text to its grade |
| `schedule` | all of them, on this machine or on a Dask cluster |
| `signals` | how a grading that is stopped ends |
| `journal` | what has been graded so far, so that nothing is graded twice |
| `table` | the table |
| `report`, `report.css` | the page of the class, and that of one student |
| `each` | a page for each student |
"""
