"""Background jobs: huey wakes workers, the database says what there is to do.

A kind of job is one class: see `controller.jobs.kinds.JobKind`.
"""
